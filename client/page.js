/**
 * The call page: puts the parts together.
 *
 * For developers (and tests) `window.jinglebridge` holds the current `bridge` and the last `call`, nothing else.
 * @module
 */

import { Bridge } from './jinglebridge.js'
import { hideCall, hideResult, showCall, showResult } from './page-call.js'
import { showControls } from './page-controls.js'
import { addMissed, focusContact, setBusy, showContacts, showWarnings } from './page-contacts.js'
import { device, keepDevice, offerDevices } from './page-device.js'
import { $, announce, say } from './page-dom.js'
import { offerPicture } from './page-picture.js'
import { showHistory } from './page-history.js'
import { enable, explain, hideIncoming, ringingCall, showIncoming } from './page-incoming.js'
import { offerProof } from './page-proof.js'
import { openSetup, withDevices } from './page-setup.js'
import { ring, unlockSound } from './ring.js'
import { CONNECTION, DOORSTEP, problem, REPLACE, SIGN_OUT } from './words.js'

const STORED = 'jinglebridge.resume'

/** @type {{bridge: Bridge | null, call: import('./call.js').Call | null}} */
const shared = { bridge: null, call: null }
Object.assign(window, { jinglebridge: shared })

/** @type {import('./call.js').Call | null} the one in the call view */
let current = null
let unloading = false
let draining = false
let byDevice = false // this browser is signed in, and came in by that

// --- who this is --------------------------------------------------------------------------------------------------

/** @returns {{token: string | null, device: string | null}} from the fragment, which no server sees; it is gone from the address bar at once */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1))
  const [token, device] = [given.get('token'), given.get('device')]
  if (token || device) history.replaceState(null, '', location.pathname + location.search)
  return { token, device }
}

/** The session of this tab before a reload. Taken out, so that a copy of the tab does not find it. */
function takeStored() {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? 'null')
    sessionStorage.removeItem(STORED)
    return stored
  } catch {
    return null // no storage allowed: a reload needs the link again
  }
}

/** Kept only while nobody looks at the page: it may be reloaded or thrown away then. */
function keep() {
  if (unloading) return
  try {
    const resume = shared.bridge?.resume
    if (resume && document.hidden) sessionStorage.setItem(STORED, JSON.stringify(resume))
    else sessionStorage.removeItem(STORED)
  } catch {
    // as above
  }
}

function keepForReload() {
  const resume = shared.bridge?.resume
  unloading = true
  try {
    if (resume) sessionStorage.setItem(STORED, JSON.stringify(resume))
  } catch {
    // as above
  }
}

/** @param {'starting' | 'doorstep' | 'home'} view */
function show(view) {
  if (document.body.dataset.view === view) return
  document.body.dataset.view = view
}

/** @param {string} [code] */
function showDoorstep(code = 'none') {
  const lost = $('result').hidden ? '' : `${$('result-text').textContent} ` // a call that ended with the session
  say($('doorstep-text'), lost + (DOORSTEP[code] ?? DOORSTEP['not-authorized']))
  say($('banner'))
  $('me').hidden = true
  show('doorstep')
  $('doorstep').focus()
}

// --- the bridge ---------------------------------------------------------------------------------------------------

function begin() {
  const { token, device: given } = takeFragment()
  // A link from somebody must not turn the owner of this browser into somebody else unnoticed.
  const invited = given && !token && ([null, given].includes(device()) || confirm(REPLACE)) ? given : null
  if (invited) keepDevice(invited)
  const own = token ? null : device()
  const resume = token || invited ? null : takeStored()
  shared.bridge?.close()
  if (!token && !resume && !own) return showDoorstep()
  show('starting')
  const bridge = new Bridge({ token: token ?? undefined, device: own ?? undefined, resume })
  shared.bridge = bridge
  byDevice = own !== null
  const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ run) =>
    bridge.addEventListener(type, (event) => bridge === shared.bridge && run(/** @type {any} */ (event).detail))
  on('connection', connection)
  on('contacts', (contacts) => showContacts(contacts, { bridge, call: (contact, video) => place(contact.jid, { video }) }))
  on('presence', ({ show }) => { $('my-show').value = show })
  on('incoming', incoming)
  on('interrupted', interrupted)
  on('missed', (missed) => { addMissed(missed, () => place(missed.from, { video: false })); recent() })
  on('draining', () => { draining = true; lost() })
  bridge.open().catch(() => {}) // `connection` has told why
}

/** @param {{state: string, error?: {code: string}}} detail */
function connection({ state, error }) {
  if (state === 'online') return online()
  if (state === 'offline') return error && notLetIn(error.code)
  if (state === 'reconnecting') return lost()
  say($('starting-text'), CONNECTION.connecting)
  announce(CONNECTION.connecting)
}

/** @param {string} code */
function notLetIn(code) {
  if (byDevice && code === 'not-authorized') {
    keepDevice(null) // it was revoked, or not used for too long
    code = 'signed-out'
  }
  showDoorstep(code)
}

function signOut() {
  const { bridge } = shared
  if (current && !confirm(SIGN_OUT)) return
  keepDevice(null)
  const over = () => { bridge?.close(); if (bridge === shared.bridge) showDoorstep('signed-out') }
  bridge?.request('devices.revoke').then(over, over)
  if (bridge?.state !== 'online') over()
}

function lost() {
  const talking = current !== null && current.connectedAt !== null
  const text = CONNECTION[talking ? (draining ? 'drainingCall' : 'duringCall') : (draining ? 'draining' : 'reconnecting')]
  if ($('banner').textContent === text) return
  say($('banner'), text)
  announce(text)
}

function online() {
  const bridge = /** @type {Bridge} */ (shared.bridge)
  if (!$('banner').hidden) announce('Connected again.')
  draining = false
  say($('banner'))
  say($('me-name'), bridge.name)
  say($('me-jid'), bridge.jid.split('/')[0])
  $('me').hidden = false
  $('my-show').value = bridge.show
  $('my-show').onchange = () => bridge.setPresence($('my-show').value).catch((error) => announce(problem(error), 'alarm'))
  showWarnings(bridge.warnings)
  offerDevices(bridge, byDevice, signOut)
  recent()
  offerPicture(bridge)
  show('home')
  keep()
}

function recent() {
  if (shared.bridge) showHistory(shared.bridge, (jid, video) => place(jid, { video }))
}

// --- calls --------------------------------------------------------------------------------------------------------

/**
 * @param {string} jid
 * @param {{audio?: boolean, video: boolean}} wanted
 */
function place(jid, wanted) {
  const { bridge } = shared
  if (!bridge || current) return
  const call = bridge.call(jid, withDevices(wanted))
  take(call)
  const sound = () => ring(ringingCall() ? 'incoming' : call.state === 'ringing' && current === call ? 'ringback' : null)
  call.addEventListener('state', sound)
}

/**
 * @param {import('./call.js').Call} call that is in the call view from now on
 * @param {import('./call.js').Call} [before] what it was until now
 */
function take(call, before) {
  current = call
  shared.call = call
  setBusy(true)
  showCall(call, shared.bridge?.contacts.find(({ jid }) => jid === call.peer.split('/')[0]), before)
  showControls(call)
  call.addEventListener('state', () => { if (!$('banner').hidden) lost() })
  call.addEventListener('ended', () => over(call))
  call.addEventListener('moved', (/** @type {any} */ { detail }) => {
    if (ringingCall() === detail) ring(null)
    hideIncoming(detail)
    take(detail, call)
  })
}

/** @param {import('./call.js').Call} call */
function over(call) {
  hideCall(call)
  if (current !== call) return
  current = null
  setBusy(false)
  if (!$('banner').hidden) lost()
  if (!ringingCall()) ring(null)
  recent()
  finished(call)
}

/**
 * @param {any} call
 * @param {string} [text]
 */
function finished(call, text) {
  const jid = call.peer.split('/')[0]
  showResult({ call, text, onAgain: (wanted) => place(jid, wanted), onDone: () => focusContact(jid) })
}

/** @param {import('./call.js').Call} call */
function incoming(call) {
  if (ringingCall()) return call.reject({ busy: true })
  if (!current) shared.call = call
  if (!current) ring('incoming')
  showIncoming(call, { current, onAccept: (wanted) => accept(call, wanted) })
  call.addEventListener('ended', () => {
    const here = ringingCall() === call
    hideIncoming(call)
    recent()
    if (!here) return
    ring(null)
    if (!current) finished(call)
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
    await call.accept(withDevices(wanted))
  } catch (error) {
    return explain(error)
  }
  if (call.ended) return
  const previous = current
  current = null
  previous?.hangUp()
  hideIncoming(call)
  take(call)
}

/** @param {any} snapshot of a call that the reload of the page ended */
function interrupted({ with: peer, name, media }) {
  finished({ peer, name, media, direction: 'out', connectedAt: null, error: null }, `The page was loaded anew, so the call with ${name} ended.`)
}

// --- start --------------------------------------------------------------------------------------------------------

addEventListener('pagehide', keepForReload) // before the bridge's own listener, which ends the calls
addEventListener('pageshow', () => { unloading = false })
addEventListener('hashchange', () => /^#(token|device)=/.test(location.hash) && begin())
document.addEventListener('visibilitychange', keep)
addEventListener('beforeunload', (event) => { if (current) event.preventDefault() })
addEventListener('keydown', (event) => { if (event.key === 'Escape' && !$('result').hidden) { hideResult(); $('contacts-title').focus() } })
$('check').onclick = () => openSetup(null)
unlockSound()
offerProof(() => document.body.dataset.view === 'doorstep' && begin()) // elsewhere it is for the next time
begin()
