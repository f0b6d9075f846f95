/**
 * The dialog in which microphone and camera are chosen and looked at, before a call or during it.
 * @module
 */

import { checkStream, startCheck, stopCheck } from './device-check.js'
import { $, say } from './page-dom.js'
import { problem, SETUP } from './words.js'

const STORED = 'jinglebridge.devices'
/** @type {['audioinput' | 'videoinput', string][]} */
const LISTS = [['audioinput', 'mic-choice'], ['videoinput', 'camera-choice']]

/** What was chosen in this browser. @type {{audioinput?: string, videoinput?: string}} */
let chosen = stored()
/** @type {import('./call.js').Call | null} the call that is on */
let during = null
/** Ids of the devices that are there, as far as the browser tells. @type {Set<string>} */
let there = new Set()

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? '{}')
  } catch {
    return {} // no storage allowed: good for this page only
  }
}

function keep() {
  try {
    localStorage.setItem(STORED, JSON.stringify(chosen))
  } catch {
    // as above
  }
}

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

/** @param {import('./call.js').Call | null} call that is on */
export async function openSetup(call) {
  during = call
  $('setup').showModal()
  await look()
  await list()
}

async function look() {
  if (!during) return startCheck(withDevices({ video: true }))
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
    $(id).replaceChildren(...found.map(({ deviceId, label }, index) => new Option(label || SETUP[kind](index + 1), deviceId, false, deviceId === used)))
    $(id).disabled = found.length === 0
    if (found.length === 0) $(id).replaceChildren(new Option(SETUP.none))
  }
}

/** @param {'audioinput' | 'videoinput'} kind */
async function choose(kind, /** @type {string} */ deviceId) {
  try {
    if (during && !during.ended) await during.switchDevice({ [kind]: deviceId })
  } catch (error) {
    say($('check-note'), problem(/** @type {any} */ (error)))
    return list()
  }
  chosen = { ...chosen, [kind]: deviceId }
  keep()
  await look()
}

for (const [kind, id] of LISTS) $(id).onchange = () => choose(kind, $(id).value)
$('setup').addEventListener('close', stopCheck)
$('setup-done').onclick = () => $('setup').close()
navigator.mediaDevices?.addEventListener('devicechange', () => ($('setup').open ? list() : known()))
known()
