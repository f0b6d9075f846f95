/**
 * Microphone, camera and screen, with the reasons why one of them is not to be had.
 * @module
 */

import { BridgeError } from './base.js'

/** @typedef {'microphone' | 'camera' | 'screen'} Device */

const WORDS = {
  refused: 'was refused',
  missing: 'was not found',
  failed: 'could not be opened; another program may be using it',
}

/**
 * @param {Device} device
 * @param {any} cause what getUserMedia threw
 */
function problem(device, cause) {
  const kind = cause.name === 'NotAllowedError' || cause.name === 'SecurityError' ? 'refused'
    : cause.name === 'NotFoundError' || cause.name === 'OverconstrainedError' ? 'missing'
      : 'failed'
  return new BridgeError(`${device}-${kind}`, `The ${device} ${WORDS[kind]}.`, { cause })
}

/**
 * Opens what is asked for. Without a camera a call goes on; without a microphone it is not what the person wanted.
 *
 * @param {{audio: boolean | MediaTrackConstraints, video: boolean | MediaTrackConstraints}} wanted
 * @returns {Promise<{stream: MediaStream, problems: BridgeError[]}>} problems: why the camera is missing in `stream`
 * @throws {BridgeError} microphone-refused, microphone-missing, microphone-failed, insecure-context
 */
export async function openMedia({ audio, video }) {
  if (!audio && !video) return { stream: new MediaStream(), problems: [] }
  const devices = navigator.mediaDevices
  if (!devices) throw new BridgeError('insecure-context', 'Browsers open microphone and camera on https pages only.')
  try {
    return { stream: await devices.getUserMedia({ audio, video }), problems: [] }
  } catch (error) {
    if (!video) throw problem('microphone', error)
    const camera = problem('camera', error)
    if (!audio) return { stream: new MediaStream(), problems: [camera] }
    const stream = await devices.getUserMedia({ audio }).catch((cause) => { throw problem('microphone', cause) })
    return { stream, problems: [camera] }
  }
}

/**
 * Opens the camera alone.
 * @param {boolean | MediaTrackConstraints} [video]
 * @returns {Promise<MediaStreamTrack>}
 */
export async function openCamera(video = true) {
  const { stream, problems } = await openMedia({ audio: false, video })
  if (problems.length > 0) throw problems[0]
  return stream.getVideoTracks()[0]
}

/** Can this browser share a screen at all? Those of phones cannot. */
export const screenPossible = () => Boolean(globalThis.navigator?.mediaDevices?.getDisplayMedia)

/**
 * Lets the person choose a screen, window or tab.
 * @returns {Promise<MediaStreamTrack>}
 * @throws {BridgeError} screen-refused (also: the person chose none), screen-missing, screen-failed
 */
export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true }).catch((cause) => { throw problem('screen', cause) })
  const [track] = stream.getVideoTracks()
  track.contentHint = 'detail' // sharp letters before many pictures per second
  return track
}
