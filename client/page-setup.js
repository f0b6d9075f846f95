/**
 * The dialog in which microphone, camera and speaker are chosen and tried, before a call or during it.
 * @module
 */

import { checkStream, startCheck, stopCheck } from './device-check.js'
import { $, say } from './page-dom.js'
import { store, storedObject } from './page-store.js'
import { playOnce } from './ring.js'
import { problem, t } from './words.js'

const STORED = 'jinglebridge.devices'
/** @type {['audioinput' | 'videoinput' | 'audiooutput', string][]} */
const LISTS = [['audioinput', 'mic-choice'], ['videoinput', 'camera-choice'], ['audiooutput', 'speaker-choice']]

/** What was chosen in this browser. @type {{audioinput?: string, videoinput?: string, audiooutput?: string}} */
let chosen = storedObject(STORED)
/** @type {import('./call.js').Call | null} the call that is on */
let during = null
let seen = true // the camera is looked at, too
/** Ids of the devices that are there, as far as the browser tells. @type {Set<string>} */
let there = new Set()

/** @param {string | undefined} id not known to be there: the browser may take another one */
const wish = (id) => (id ? { deviceId: there.has(id) ? { exact: id } : id } : true)

/**
 * @param {{audio?: boolean, video?: boolean}} wanted
 * @returns {{audio: boolean | MediaTrackConstraints, video: boolean | MediaTrackConstraints}} by the devices that were chosen
 */
export const withDevices = ({ audio = true, video = false }) => ({
  audio: audio && wish(chosen.audioinput), video: video && wish(chosen.videoinput),
})

/** A camera that is turned on later in the call is the chosen one, too. @param {import('./call.js').Call} call */
export function preferCamera(call) {
  call.addEventListener('streams', () => {
    if (chosen.videoinput && there.has(chosen.videoinput) && !call.cameraOn) call.switchDevice({ videoinput: chosen.videoinput }).catch(() => {})
  }, { once: true })
}

/**
 * @param {import('./call.js').Call | null} call that is on
 * @param {boolean} [video] false: no call from here has video
 */
export async function openSetup(call, video = true) {
  during = call
  seen = video
  $('camera-part').hidden = !video
  $('setup').showModal()
  await look()
  await list()
}

async function look() {
  if (!during) return startCheck(withDevices({ video: seen }))
  if (during.localStream) checkStream(during.localStream)
}

async function known() {
  const devices = await navigator.mediaDevices?.enumerateDevices() ?? []
  there = new Set(devices.map(({ deviceId }) => deviceId))
  return devices
}

async function list() {
  const devices = await known()
  for (const [kind, id] of LISTS) {
    const found = devices.filter((device) => device.kind === kind && device.deviceId)
    const used = during?.localStream?.getTracks().find((track) => `${track.kind}input` === kind)?.getSettings().deviceId ?? chosen[kind]
    const options = found.map(({ deviceId, label }, index) => new Option(label || t(`setup.${kind}`, { number: index + 1 }), deviceId, false, deviceId === used))
    // The system's own speaker is there even where none is listed.
    if (kind === 'audiooutput') options.unshift(new Option(t('setup.speaker-default'), '', false, !used))
    $(id).replaceChildren(...options)
    $(id).disabled = options.length === 0
    if (options.length === 0) $(id).replaceChildren(new Option(t('setup.none')))
  }
}

/**
 * @param {'audioinput' | 'videoinput' | 'audiooutput'} kind
 * @param {string} deviceId
 */
async function choose(kind, deviceId) {
  try {
    if (kind === 'audiooutput') await speakWith(deviceId)
    else if (during && !during.ended) await during.switchDevice({ [kind]: deviceId })
  } catch (error) {
    say($('check-note'), kind === 'audiooutput' ? t('problem.speaker') : problem(/** @type {any} */ (error)))
    return list()
  }
  chosen = { ...chosen, [kind]: deviceId || undefined }
  store(STORED, JSON.stringify(chosen))
  if (kind !== 'audiooutput') await look()
}

/** @param {string} deviceId '': as the system has it */
const speakWith = (deviceId) => $('remote-audio').setSinkId(deviceId)

/** The browser's own list of speakers, where it shows none to pages before the person chose one. */
async function askForSpeaker() {
  const found = await /** @type {any} */ (navigator.mediaDevices).selectAudioOutput().catch(() => null)
  if (!found) return
  await list()
  if (![...$('speaker-choice').options].some(({ value }) => value === found.deviceId)) $('speaker-choice').add(new Option(found.label, found.deviceId))
  $('speaker-choice').value = found.deviceId
  await choose('audiooutput', found.deviceId)
}

for (const [kind, id] of LISTS) $(id).onchange = () => choose(kind, $(id).value)
$('speaker-part').hidden = !('setSinkId' in HTMLMediaElement.prototype)
$('speaker-ask').hidden = !('selectAudioOutput' in (navigator.mediaDevices ?? {}))
$('speaker-ask').onclick = askForSpeaker
$('speaker-try').onclick = () => playOnce(chosen.audiooutput ?? '')
$('setup').addEventListener('close', stopCheck)
$('setup-done').onclick = () => $('setup').close()
navigator.mediaDevices?.addEventListener('devicechange', () => ($('setup').open ? list() : known()))
known()
if (chosen.audiooutput && !$('speaker-part').hidden) speakWith(chosen.audiooutput).catch(() => {}) // it is not plugged in
