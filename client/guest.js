/**
 * The page of a guest link: whose it is, a name, and one press to call. Opening it spends nothing and connects nothing: the bridge
 * hears of the guest when the button is pressed.
 *
 * For developers (and tests) `window.jinglebridge` holds the current `bridge` and the last `call`, nothing else.
 * @module
 */

import { startCheck, stopCheck } from './device-check.js'
import { Bridge } from './jinglebridge.js'
import { hideCall, hideResult, showCall, showResult } from './page-call.js'
import { $, announce, paintAvatar, say } from './page-dom.js'
import { enable, explain, hideIncoming, ringingCall, showIncoming } from './page-incoming.js'
import { ring, unlockSound } from './ring.js'
import { CONNECTION, GUEST, GUEST_PRESENCE, LINK, problem } from './words.js'

const code = location.pathname.split('/').pop() ?? ''

/** @type {{bridge: Bridge | null, call: import('./call.js').Call | null}} */
const shared = { bridge: null, call: null }
Object.assign(window, { jinglebridge: shared })

/** @type {{name: string, label: string, video: boolean, presence: string} | null} */
let link = null
/** @type {import('./call.js').Call | null} the one in the call view */
let current = null
let calledAs = ''

/** @param {'starting' | 'doorstep' | 'home'} view */
const show = (view) => { document.body.dataset.view = view }

// --- the link -----------------------------------------------------------------------------------------------------

/** @returns {Promise<string>} "" if the link is good; else why not, a key of LINK */
async function look() {
  try {
    const headers = { 'Content-Type': 'application/json' }
    const reply = await fetch('/link', { method: 'POST', headers, body: JSON.stringify({ code }), referrerPolicy: 'no-referrer' })
    const said = await reply.json()
    if (!reply.ok) return said.error in LINK ? said.error : 'offline'
    link = said
    return ''
  } catch {
    return 'offline'
  }
}

async function begin() {
  const why = await look()
  if (why) return showDoorstep(why)
  const { name, label, video, presence } = /** @type {NonNullable<typeof link>} */ (link)
  document.title = GUEST.title(name)
  paintAvatar($('avatar'), name, name)
  say($('whose'), GUEST.title(name))
  say($('label'), label)
  $('presence').dataset.presence = presence
  $('presence').hidden = !(presence in GUEST_PRESENCE)
  say($('presence-text'), GUEST_PRESENCE[presence])
  $('call-video').hidden = !video
  show('home')
}

/** @param {string} why a key of LINK */
function showDoorstep(why) {
  const { title, text, again } = LINK[why]
  say($('doorstep-title'), title)
  say($('doorstep-text'), text)
  $('look-again').hidden = !again
  say($('banner'))
  stopCheck()
  hideResult()
  show('doorstep')
  $('doorstep').focus()
}

// --- calling ------------------------------------------------------------------------------------------------------

/** @param {SubmitEvent} event */
function submitted(event) {
  event.preventDefault()
  const name = $('name').value.trim()
  const missing = !/[\p{L}\p{N}]/u.test(name)
  $('name').setAttribute('aria-invalid', String(missing))
  say($('problem'), missing ? GUEST.name : '')
  if (missing) return $('name').focus()
  place(name, { audio: true, video: event.submitter?.id === 'call-video' })
}

/**
 * @param {string} name
 * @param {{audio: boolean, video: boolean}} wanted
 */
async function place(name, wanted) {
  if (current) return
  stopCheck()
  busy(true)
  say($('problem'))
  try {
    const bridge = await connected(name)
    const [owner] = bridge.contacts
    take(bridge.call(owner.jid, wanted))
  } catch (error) {
    refused(/** @type {any} */ (error))
  }
  busy(false)
}

/** @param {boolean} on */
function busy(on) {
  for (const id of ['call-audio', 'call-video', 'check']) $(id).disabled = on
}

/**
 * The bridge, under this name: another name is another guest.
 * @param {string} name
 */
async function connected(name) {
  if (shared.bridge && calledAs === name && shared.bridge.state !== 'offline') return shared.bridge
  shared.bridge?.close()
  calledAs = name
  const bridge = new Bridge({ code, name })
  shared.bridge = bridge
  const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ run) =>
    bridge.addEventListener(type, (event) => bridge === shared.bridge && run(/** @type {any} */ (event).detail))
  on('connection', connection)
  on('incoming', incoming)
  await bridge.open()
  return bridge
}

/** @param {{state: string, error?: any}} detail */
function connection({ state, error }) {
  if (state === 'online') say($('banner'))
  else if (state === 'offline') { say($('banner')); if (error && !current) refused(error) }
  else say($('banner'), state === 'connecting' ? CONNECTION.connecting : CONNECTION[current?.connectedAt ? 'duringCall' : 'reconnecting'])
}

/** The bridge will not have this guest, or not any more: the link knows why. @param {any} error */
async function refused(error) {
  const why = await look()
  if (why && why !== 'offline') return showDoorstep(why)
  if (error.code === 'not-authorized') return showDoorstep('gone')
  say($('problem'), problem(error))
  $('idle').hidden = false
}

/** @param {import('./call.js').Call} call */
function take(call) {
  current = call
  shared.call = call
  showCall(call)
  call.addEventListener('state', () => ring(call.state === 'ringing' && call.direction === 'out' && current === call ? 'ringback' : null))
  call.addEventListener('ended', () => over(call))
}

/** @param {import('./call.js').Call} call */
async function over(call) {
  hideCall(call)
  if (current !== call) return
  current = null
  ring(null)
  let why = ''
  const onAgain = (/** @type {any} */ wanted) => place(calledAs, wanted)
  $('again').hidden = false
  showResult({ call, onAgain, onDone: () => (why ? showDoorstep(why) : $('whose').focus()) })
  why = await look()
  if (!why || why === 'offline' || $('result').hidden) return
  $('again').hidden = $('listen-only').hidden = true
  const text = `${LINK[why].title}. ${LINK[why].text}`
  say($('result-more'), text)
  announce(text)
}

// --- called back --------------------------------------------------------------------------------------------------

/** @param {import('./call.js').Call} call */
function incoming(call) {
  if (ringingCall()) return call.reject({ busy: true })
  if (!current) ring('incoming')
  showIncoming(call, { current, onAccept: (wanted) => accept(call, wanted) })
  call.addEventListener('ended', () => {
    if (ringingCall() === call) ring(null)
    hideIncoming(call)
  })
}

/**
 * @param {import('./call.js').Call} call
 * @param {{audio: boolean, video: boolean}} wanted
 */
async function accept(call, wanted) {
  enable(false)
  ring(null)
  try {
    await call.accept(wanted)
  } catch (error) {
    return explain(error)
  }
  if (call.ended) return
  const previous = current
  current = null
  previous?.hangUp()
  hideIncoming(call)
  hideResult()
  take(call)
}

// --- start --------------------------------------------------------------------------------------------------------

$('idle').addEventListener('submit', submitted)
$('check').onclick = () => ($('checked').hidden ? startCheck({ video: Boolean(link?.video) }) : stopCheck())
$('look-again').onclick = begin
addEventListener('beforeunload', (event) => { if (current) event.preventDefault() })
addEventListener('keydown', (event) => { if (event.key === 'Escape' && !$('result').hidden) { hideResult(); $('whose').focus() } })
unlockSound()
begin()
