/**
 * The call page of somebody with an address: puts the parts together.
 *
 * For developers (and tests) `window.jinglebridge` holds the current `bridge` and the last `call`, nothing else.
 * @module
 */

import { Bridge } from './jinglebridge.js'
import { hideResult, showResult } from './page-call.js'
import { addMissed, focusContact, setBusy, showContacts, showWarnings } from './page-contacts.js'
import { device, keepDevice, offerDevices, refresh } from './page-device.js'
import { $, announce, say } from './page-dom.js'
import { showHistory } from './page-history.js'
import { ringingCall } from './page-incoming.js'
import { RESPOKEN } from './page-language.js'
import { Line } from './page-line.js'
import { offerPicture } from './page-picture.js'
import { offerProof } from './page-proof.js'
import { offerName, offerSettings } from './page-settings.js'
import { openSetup } from './page-setup.js'
import { setting, store, stored } from './page-store.js'
import { unlockSound } from './ring.js'
import { doorstep, problem, t } from './words.js'

const STORED = 'jinglebridge.resume'

/** @type {{bridge: Bridge | null, call: import('./call.js').Call | null}} */
const shared = { bridge: null, call: null }
Object.assign(window, { jinglebridge: shared })

const line = new Line({
  latest: (call) => { shared.call = call },
  changed: (busy) => { setBusy(busy); if (!$('banner').hidden) lost() },
  contact: (jid) => away ? undefined : shared.bridge?.contacts.find((contact) => contact.jid === jid),
  past: recent,
  over: finished,
})
let unloading = false
let draining = false
let away = false // the bridge is: what it told of contacts may have changed
let byDevice = false // this browser is signed in, and came in by that
let unknown = '' // why the page does not know who this is
/** The token of the link, until the bridge has it. @type {string | null} */
let ticket = null

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
  const kept = stored(STORED, 'sessionStorage')
  store(STORED, null, 'sessionStorage')
  try {
    return JSON.parse(kept ?? 'null')
  } catch {
    return null // somebody else wrote there: a reload needs the link again
  }
}

/** Kept only while nobody looks at the page: it may be reloaded or thrown away then. */
function keep() {
  if (unloading) return
  const resume = shared.bridge?.resume
  store(STORED, resume && document.hidden ? JSON.stringify(resume) : null, 'sessionStorage')
}

function keepForReload() {
  const resume = shared.bridge?.resume
  unloading = true
  if (resume) store(STORED, JSON.stringify(resume), 'sessionStorage')
}

/** @param {'starting' | 'doorstep' | 'home'} view */
function show(view) {
  document.body.dataset.view = view
}

/** @param {string} [code] */
function showDoorstep(code = 'none') {
  unknown = code
  const lost = $('result').hidden ? '' : `${$('result-text').textContent} ` // a call that ended with the session
  say($('doorstep-text'), lost + doorstep(code))
  say($('banner'))
  $('me').hidden = $('devices').hidden = true
  offerName(false)
  show('doorstep')
  $('doorstep').focus({ preventScroll: true })
}

// --- the bridge ---------------------------------------------------------------------------------------------------

function begin() {
  const { token, device: given } = takeFragment()
  // A link from somebody must not turn the owner of this browser into somebody else unnoticed.
  const invited = given && !token && ([null, given].includes(device()) || confirm(t('doorstep.replace'))) ? given : null
  if (invited) keepDevice(invited)
  ticket = token
  const own = token ? null : device()
  const resume = token || invited ? null : takeStored()
  shared.bridge?.close()
  if (!token && !resume && !own) return showDoorstep()
  show('starting')
  const bridge = new Bridge({ token: token ?? undefined, device: own ?? undefined, name: (own && setting('name')) || undefined, resume })
  shared.bridge = bridge
  byDevice = own !== null
  const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ run) =>
    bridge.addEventListener(type, (event) => bridge === shared.bridge && run(/** @type {any} */ (event).detail))
  on('connection', connection)
  on('contacts', () => contacts(bridge))
  on('presence', ({ show }) => { $('my-show').value = show })
  on('incoming', (call) => line.incoming(call))
  on('interrupted', interrupted)
  on('missed', (missed) => { addMissed(missed, () => place(missed.from, { video: false })); recent() })
  on('draining', () => { draining = true; lost() })
  bridge.open().catch(() => {}) // `connection` has told why
}

/** @param {{state: string, error?: {code: string}}} detail */
function connection({ state, error }) {
  const before = away
  away = state === 'reconnecting'
  if (away !== before) contacts(/** @type {Bridge} */ (shared.bridge))
  if (state === 'online') return online()
  if (state === 'offline') return error && notLetIn(error.code)
  if (state === 'reconnecting') return lost()
  say($('starting-text'), t('connection.connecting'))
  announce(t('connection.connecting'))
}

/** @param {string} code */
function notLetIn(code) {
  if (byDevice && code === 'not-authorized') {
    keepDevice(null) // it was revoked, or not used for too long
    code = 'signed-out'
  }
  if (code === 'bad-version' && ticket) history.replaceState(null, '', `#token=${ticket}`) // for the reload that is asked for
  showDoorstep(code)
}

function signOut() {
  const { bridge } = shared
  if (line.current && !confirm(t('settings.sign-out-call'))) return
  keepDevice(null)
  $('settings').close()
  const over = () => { bridge?.close(); if (bridge === shared.bridge) showDoorstep('signed-out') }
  bridge?.request('devices.revoke').then(over, over)
  if (bridge?.state !== 'online') over()
}

function lost() {
  const talking = line.current !== null && line.current.connectedAt !== null
  const text = t(`connection.${draining ? 'draining' : 'reconnecting'}${talking ? '.talked' : ''}`)
  if ($('banner').textContent === text) return
  say($('banner'), text)
  announce(text)
}

function online() {
  const bridge = /** @type {Bridge} */ (shared.bridge)
  if (!$('banner').hidden) announce(t('connection.again'))
  draining = false
  ticket = null
  say($('banner'))
  say($('me-name'), bridge.name)
  say($('me-jid'), bridge.jid.split('/')[0])
  $('me').hidden = false
  $('my-show').value = bridge.show
  $('my-show').onchange = () => bridge.setPresence($('my-show').value).catch((error) => announce(problem(error), 'alarm'))
  showWarnings(bridge.warnings)
  offerDevices(bridge, byDevice, signOut)
  offerName(byDevice)
  recent()
  offerPicture(bridge)
  show('home')
  keep()
}

/** @param {Bridge} bridge */
function contacts(bridge) {
  const shown = away ? bridge.contacts.map((contact) => ({ ...contact, presence: 'lost', status: '' })) : bridge.contacts
  showContacts(shown, { bridge, call: (contact, video) => place(contact.jid, { video }) })
}

function recent() {
  if (shared.bridge) showHistory(shared.bridge, (jid, video) => place(jid, { video }))
}

function respoken() {
  if (document.body.dataset.view === 'doorstep') return say($('doorstep-text'), doorstep(unknown))
  if (!$('banner').hidden) lost()
  if (shared.bridge) contacts(shared.bridge)
  if (!$('devices').hidden && shared.bridge) refresh(shared.bridge)
  recent()
}

// --- calls --------------------------------------------------------------------------------------------------------

/**
 * @param {string} jid
 * @param {{audio?: boolean, video: boolean}} wanted
 */
function place(jid, wanted) {
  line.place(shared.bridge, jid, wanted)
}

/**
 * @param {any} call
 * @param {() => string} [text]
 */
function finished(call, text) {
  const jid = call.peer.split('/')[0]
  showResult({ call, text, onAgain: (wanted) => place(jid, wanted), onDone: () => focusContact(jid) })
}

/** @param {any} snapshot of a call that the reload of the page ended */
function interrupted({ with: peer, name, media }) {
  finished({ peer, name, media, direction: 'out', connectedAt: null, error: null }, () => t('ended.reload', { name }))
}

// --- start --------------------------------------------------------------------------------------------------------

addEventListener('pagehide', keepForReload) // before the bridge's own listener, which ends the calls
addEventListener('pageshow', () => { unloading = false })
addEventListener('hashchange', () => /^#(token|device)=/.test(location.hash) && begin())
document.addEventListener('visibilitychange', keep)
document.addEventListener(RESPOKEN, respoken)
addEventListener('keydown', (event) => { if (event.key === 'Escape' && !$('result').hidden) { hideResult(); $('contacts-title').focus() } })
$('check').onclick = () => openSetup(line.current)
offerSettings({
  opened: () => { if (!$('devices').hidden && shared.bridge) refresh(shared.bridge) },
  renamed: () => { if (byDevice && !line.current && !ringingCall()) begin() }, // a name is given when a session begins
})
unlockSound()
offerProof(() => document.body.dataset.view === 'doorstep' && begin()) // elsewhere it is for the next time
begin()
