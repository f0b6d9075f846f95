/**
 * The page of a guest link: whose it is, a name, and one press to call. Opening it spends nothing and connects nothing: the bridge
 * hears of the guest when the button is pressed.
 *
 * For developers (and tests) `window.jinglebridge` holds the current `bridge` and the last `call`, nothing else.
 * @module
 */

import { Bridge } from './jinglebridge.js'
import { hideResult, showResult } from './page-call.js'
import { $, announce, paintAvatar, say } from './page-dom.js'
import { RESPOKEN } from './page-language.js'
import { Line } from './page-line.js'
import { offerSettings } from './page-settings.js'
import { openSetup } from './page-setup.js'
import { store, storedObject } from './page-store.js'
import { unlockSound } from './ring.js'
import { problem, t } from './words.js'

const STORED = 'jinglebridge.interrupted'
const PASSING = ['busy', 'unusable', 'offline'] // the link may be good later

const code = location.pathname.split('/').pop() ?? ''

/** @type {{bridge: Bridge | null, call: import('./call.js').Call | null}} */
const shared = { bridge: null, call: null }
Object.assign(window, { jinglebridge: shared })

/** @type {{name: string, label: string, video: boolean, presence: string} | null} */
let link = null
let wrong = '' // why the link is not good, the end of a key of words-en.js
let calledAs = ''

const line = new Line({
  latest: (call) => { shared.call = call },
  changed: () => {},
  over: (call) => over(call),
})

/** @param {'starting' | 'doorstep' | 'home'} view */
const show = (view) => { document.body.dataset.view = view }

// --- the link -----------------------------------------------------------------------------------------------------

/** @returns {Promise<string>} "" if the link is good; else why not */
async function look() {
  try {
    const headers = { 'Content-Type': 'application/json' }
    const reply = await fetch('/link', { method: 'POST', headers, body: JSON.stringify({ code }), referrerPolicy: 'no-referrer' })
    const said = await reply.json()
    if (!reply.ok) return t(`link.${said.error}`) ? said.error : 'offline'
    link = said
    return ''
  } catch {
    return 'offline'
  }
}

async function begin() {
  const why = await look()
  if (why) return showDoorstep(why)
  paint()
  show('home')
  interrupted()
}

/** A reload ended the call that the guest was in: the bridge is told so, and one press makes another. */
function interrupted() {
  const { name, video, resume } = storedObject(STORED, 'sessionStorage')
  store(STORED, null, 'sessionStorage')
  if (!name || !link) return
  $('name').value = name
  connected(name, resume).catch(() => {}) // the other side finds out by itself, a little later
  const call = { peer: link.name, name: link.name, media: { audio: true, video }, direction: 'out', connectedAt: null, error: null }
  over(call, () => t('ended.reload', { name: call.name }))
}

function keepForReload() {
  const { current } = line
  const kept = current && { name: calledAs, video: current.media.video, resume: shared.bridge?.resume }
  store(STORED, kept && JSON.stringify(kept), 'sessionStorage')
}

function paint() {
  if (wrong) return sayWhy()
  if (!link) return
  const { name, label, video, presence } = link
  document.title = t('guest.title', { name })
  paintAvatar($('avatar'), name, name)
  say($('whose'), document.title)
  say($('label'), label)
  $('presence').dataset.presence = presence
  say($('presence-text'), t(`guest.${presence}`))
  $('presence').hidden = $('presence-text').hidden
  $('call-video').hidden = !video
}

function sayWhy() {
  say($('doorstep-title'), t(`link.${wrong}.title`))
  say($('doorstep-text'), t(`link.${wrong}`))
}

/** @param {string} why */
function showDoorstep(why) {
  wrong = why
  sayWhy()
  $('look-again').hidden = !PASSING.includes(why)
  say($('banner'))
  if ($('setup').open) $('setup').close()
  hideResult()
  show('doorstep')
  $('doorstep').focus({ preventScroll: true })
}

// --- calling ------------------------------------------------------------------------------------------------------

/** @param {SubmitEvent} event */
function submitted(event) {
  event.preventDefault()
  const name = $('name').value.trim()
  const missing = !/[\p{L}\p{N}]/u.test(name)
  $('name').setAttribute('aria-invalid', String(missing))
  say($('problem'), missing ? t('guest.nameless') : '')
  if (missing) return $('name').focus()
  place(name, { audio: true, video: event.submitter?.id === 'call-video' })
}

/**
 * @param {string} name
 * @param {{audio: boolean, video: boolean}} wanted
 */
async function place(name, wanted) {
  if (line.current) return
  busy(true)
  say($('problem'))
  try {
    const bridge = await connected(name)
    line.place(bridge, bridge.contacts[0].jid, wanted)
  } catch (error) {
    refused(/** @type {any} */ (error))
  }
  busy(false)
}

/** @param {boolean} on */
function busy(on) {
  for (const id of ['call-audio', 'call-video', 'try']) $(id).disabled = on
}

/**
 * The bridge, under this name: another name is another guest.
 * @param {string} name
 * @param {any} [resume] of the page before a reload
 */
async function connected(name, resume) {
  if (shared.bridge && calledAs === name && shared.bridge.state !== 'offline') return shared.bridge
  shared.bridge?.close()
  calledAs = name
  const bridge = new Bridge({ code, name, resume })
  shared.bridge = bridge
  const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ run) =>
    bridge.addEventListener(type, (event) => bridge === shared.bridge && run(/** @type {any} */ (event).detail))
  on('connection', connection)
  on('incoming', (call) => line.incoming(call))
  await bridge.open()
  return bridge
}

/** @param {{state: string, error?: any}} detail */
function connection({ state, error }) {
  if (state === 'online') say($('banner'))
  else if (state === 'offline') { say($('banner')); if (error && !line.current) refused(error) }
  else say($('banner'), t(`connection.${state === 'connecting' ? state : line.current?.connectedAt ? 'reconnecting.talked' : 'reconnecting'}`))
}

/** The bridge will not have this guest, or not any more: the link knows why. @param {any} error */
async function refused(error) {
  const why = await look()
  if (why && why !== 'offline') return showDoorstep(why)
  if (error.code === 'not-authorized') return showDoorstep('gone')
  say($('problem'), problem(error))
  $('idle').hidden = false
}

/** @param {any} call @param {() => string} [text] */
async function over(call, text) {
  let why = ''
  const onAgain = (/** @type {any} */ wanted) => place(calledAs, wanted)
  $('again').hidden = false
  showResult({ call, text, onAgain, onDone: () => (why ? showDoorstep(why) : $('whose').focus()) })
  why = await look()
  if (!why || why === 'offline' || $('result').hidden) return
  $('again').hidden = $('listen-only').hidden = true
  const reason = `${t(`link.${why}.title`)}. ${t(`link.${why}`)}`
  say($('result-more'), reason)
  announce(reason)
}

// --- start --------------------------------------------------------------------------------------------------------

$('visitor').addEventListener('submit', submitted)
for (const id of ['call-name', 'result-text']) $(id).setAttribute('aria-level', '1') // the only heading then
$('try').onclick = () => openSetup(null, Boolean(link?.video))
$('look-again').onclick = () => { wrong = ''; begin() }
document.addEventListener(RESPOKEN, paint)
addEventListener('pagehide', keepForReload) // before the bridge's own listener, which ends the call
addEventListener('keydown', (event) => { if (event.key === 'Escape' && !$('result').hidden) { hideResult(); $('whose').focus() } })
offerSettings({})
unlockSound()
begin()
