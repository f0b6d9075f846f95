/**
 * The call view, and what it says when the call is over.
 * @module
 */

import { $, announce, attach, paintAvatar, say } from './page-dom.js'
import { RESPOKEN } from './page-language.js'
import { clock, ended, problem, sentence, t } from './words.js'

const WENT = 8000 // ms that it is told that the call went on elsewhere

/** @type {any} the call on show */
let shown = null
/** @type {ReturnType<typeof setInterval> | undefined} */
let ticking
let writeResult = () => ''
const nothing = () => ''
/** How this call came about, told until something is wrong. */
let hint = nothing
/** What is wrong with the call on show. @type {any[]} */
let told = []

/**
 * @param {any} call
 * @param {any} [contact] as far as known
 * @param {any} [before] the call on show that goes on as this one
 */
export function showCall(call, contact, before) {
  hideResult()
  shown = call
  paintAvatar($('call-avatar'), call.peer, call.name)
  say($('call-name'), call.name)
  const looksOffline = call.direction === 'out' && contact?.presence === 'offline'
  told = before ? told.filter((error) => stands(error, call)) : []
  const went = () => t(before.connectedAt === null ? 'call.moved' : 'call.moved.talked', { name: call.name })
  hint = before ? went : looksOffline ? offline : nothing
  writeNote()
  if (hint()) announce(hint())
  if (before) setTimeout(() => hint === went && dropHint(), WENT)
  $('idle').hidden = true
  $('call').hidden = false
  document.body.dataset.call = 'live'
  for (const event of ['state', 'abilities', 'streams', 'mute', 'hold']) call.addEventListener(event, () => call === shown && paint(call))
  call.addEventListener('problem', (/** @type {any} */ { detail }) => {
    // Who does not take our hold is not heard all the same.
    if (call === shown && !(call.held && detail.what === 'direction')) explain(detail)
  })
  call.addEventListener('streams', () => {
    if (call !== shown) return
    told = told.filter((error) => stands(error, call) !== false)
    writeNote()
  })
  call.addEventListener('state', () => call === shown && announceState(call))
  paint(call)
  announceState(call)
  $('call').focus()
}

/** @param {any} call that has ended */
export function hideCall(call) {
  if (call !== shown) return
  shown = null
  clearInterval(ticking)
  ticking = undefined
  for (const id of ['remote-video', 'remote-audio', 'local-video']) attach($(id), null)
  $('hear').hidden = true
  $('call').hidden = true
  $('idle').hidden = false
  delete document.body.dataset.call
}

/**
 * @param {{call: any, text?: () => string, onAgain: (wanted: {audio: boolean, video: boolean}) => void, onDone: () => void}} result
 */
export function showResult({ call, text = () => ended(call), onAgain, onDone }) {
  const talked = call.connectedAt ? (Date.now() - call.connectedAt) / 1000 : 0
  writeResult = () => {
    const more = call.error ? problem(call.error) : sentence(call.text ?? '')
    say($('result-text'), text())
    say($('result-more'), more || (talked ? t('ended.lasted', { time: clock(talked) }) : ''))
    return [text(), more].filter(Boolean).join(' ')
  }
  paintAvatar($('result-avatar'), call.peer, call.name)
  announce(writeResult())
  const again = (/** @type {boolean} */ audio) => { hideResult(); onAgain({ audio, video: call.media.video }) }
  $('again').onclick = () => again(true)
  $('listen-only').onclick = () => again(false)
  $('listen-only').hidden = !call.error?.code.startsWith('microphone-') || call.direction === 'in'
  $('done').onclick = () => { hideResult(); onDone() }
  $('idle').hidden = true
  $('result').hidden = false
  document.body.dataset.call = 'result'
  $('result').focus()
}

export function hideResult() {
  if ($('result').hidden) return
  writeResult = () => ''
  $('result').hidden = true
  $('idle').hidden = false
  delete document.body.dataset.call
}

function writeNote() {
  say($('call-note'), [hint(), ...told.map(problem)].filter(Boolean).join(' '))
}

function dropHint() {
  hint = nothing
  writeNote()
}

/**
 * Told below the name, and read out, beside what still stands: a camera that goes does not hide that the microphone has gone.
 * @param {any} error of the call on show
 */
export function explain(error) {
  if (!shown) return
  const device = (/** @type {any} */ { code }) => String(code).split('-')[0]
  told = [...told.filter((one) => device(one) !== device(error) && stands(one, shown)), error]
  dropHint()
  announce($('call-note').textContent)
}

/**
 * Is it so until the person does something about it, and is it still?
 * @param {{code: string}} error
 * @param {any} call
 * @returns {boolean | undefined}
 */
function stands({ code }, call) {
  const over = (/** @type {MediaStreamTrack} */ { readyState }) => readyState === 'ended'
  if (code === 'microphone-lost') return call.localStream?.getAudioTracks().some(over)
  return /^camera-(lost|missing|refused|failed)$/.test(code) ? !call.cameraOn : undefined
}

/** @param {any} call */
function announceState(call) {
  const state = t(`state.${call.state}`)
  if (state) announce(`${call.name}: ${state}`)
}

/** @param {any} call */
function paint(call) {
  const talking = call.connectedAt !== null
  say($('call-state'), stateOf(call))
  if (talking && !ticking) {
    if (hint === offline) dropHint()
    ticking = setInterval(() => tick(call), 1000)
    tick(call)
  }
  $('call-timer').hidden = !talking
  paintStreams(call)
  paintSwitch('mute', call.muted, t(call.muted ? 'call.unmute' : 'call.mute'))
  paintSwitch('camera', !call.cameraOn, t(call.cameraOn ? 'call.no-camera' : 'call.camera'))
  $('camera').hidden = !call.cameraPossible
}

/** @param {any} call */
export function stateOf(call) {
  const is = call.state !== 'connected' ? call.state : call.held ? 'held' : call.remoteHeld ? 'held-there' : call.remoteMuted ? 'muted' : 'connected'
  return t(`state.${is}`, { name: call.name })
}

const offline = () => t('call.offline', { name: shown.name })

/** @param {any} call */
function tick(call) {
  $('call-timer').textContent = clock((Date.now() - call.connectedAt) / 1000)
}

/** @param {any} call */
function paintStreams(call) {
  const remote = call.remoteStream
  const picture = call.connectedAt !== null && !call.remoteCameraOff && !call.held && !call.remoteHeld && Boolean(remote?.getVideoTracks().some(isFlowing))
  $('remote-video').hidden = !picture
  $('local-video').hidden = call.held || call.remoteHeld || !(call.cameraOn || call.sharing)
  $('local-video').classList.toggle('screen', call.sharing)
  $('call').dataset.picture = picture ? 'yes' : 'no'
  attach($('local-video'), call.screenStream ?? call.localStream)
  if (!remote) return
  if (remote.getVideoTracks().length > 0) attach($('remote-video'), remote)
  if ($('remote-audio').srcObject !== remote && remote.getAudioTracks().length > 0) listen(remote)
  for (const track of remote.getVideoTracks()) track.onmute = track.onunmute = () => call === shown && paintStreams(call)
}

/** @param {MediaStreamTrack} track */
const isFlowing = (track) => track.readyState === 'live' && !track.muted

/**
 * Sound of the other side. A browser that forbids it until the page is touched gets a button to touch.
 * @param {MediaStream} remote
 */
function listen(remote) {
  const audio = $('remote-audio')
  const play = () => audio.play().then(() => { $('hear').hidden = true }, (/** @type {Error} */ error) => {
    if (error.name === 'NotAllowedError') $('hear').hidden = false
  })
  audio.srcObject = remote
  $('hear').onclick = play
  play()
}

/**
 * @param {string} id of a button of the call
 * @param {boolean} marked
 * @param {string} text
 * @param {'off' | 'on'} [mark] off: with a stroke through it
 */
export function paintSwitch(id, marked, text, mark = 'off') {
  $(id).classList.toggle(mark, marked)
  say($(`${id}-text`), text)
}

$('mute').onclick = () => shown?.mute(!shown.muted)
$('camera').onclick = () => {
  shown?.camera(!shown.cameraOn).catch(explain)
}
$('hang-up').onclick = () => shown?.hangUp()
document.addEventListener(RESPOKEN, () => {
  if (shown) {
    paint(shown)
    writeNote()
  }
  writeResult()
})
