/**
 * Microphone, camera and screen: opened, with the reasons why one is not to be had, and kept while a call goes on.
 * @module
 */

import { BridgeError } from './base.js'

/** @typedef {{audio: boolean | MediaTrackConstraints, video: boolean | MediaTrackConstraints}} Devices */

const WORDS = {
  refused: 'was refused',
  missing: 'was not found',
  failed: 'could not be opened; another program may be using it',
}

/** @param {string} device @param {any} cause */
function problem(device, cause) {
  const kind = cause.name === 'NotAllowedError' || cause.name === 'SecurityError' ? 'refused'
    : cause.name === 'NotFoundError' || cause.name === 'OverconstrainedError' ? 'missing'
      : 'failed'
  return new BridgeError(`${device}-${kind}`, `The ${device} ${WORDS[kind]}.`, { cause })
}

/**
 * Without a camera a call goes on, and `problems` says why; without a microphone it is not what the person wanted.
 * @param {Devices} wanted
 */
export async function openMedia({ audio, video }) {
  /** @type {BridgeError[]} */
  const problems = []
  if (!audio && !video) return { stream: new MediaStream(), problems }
  const devices = navigator.mediaDevices
  if (!devices) throw new BridgeError('insecure-context', 'Browsers open microphone and camera on https pages only.')
  try {
    return { stream: await devices.getUserMedia({ audio, video }), problems }
  } catch (error) {
    if (!video) throw problem('microphone', error)
    problems.push(problem('camera', error))
    if (!audio) return { stream: new MediaStream(), problems }
    const stream = await devices.getUserMedia({ audio }).catch((cause) => { throw problem('microphone', cause) })
    return { stream, problems }
  }
}

/** @param {boolean | MediaTrackConstraints} [video] */
export async function openCamera(video = true) {
  const { stream, problems } = await openMedia({ audio: false, video })
  if (problems.length > 0) throw problems[0]
  return stream.getVideoTracks()[0]
}

/** Browsers of phones cannot share a screen. */
export const screenPossible = () => Boolean(globalThis.navigator?.mediaDevices?.getDisplayMedia)

export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true }).catch((cause) => { throw problem('screen', cause) })
  const [track] = stream.getVideoTracks()
  track.contentHint = 'detail' // sharp letters before many pictures per second
  return track
}

/** What this person has in a call. */
export class OwnMedia {
  /** @type {MediaStream | null} */
  stream = null
  /** @type {MediaStream | null} */
  screen = null
  /** The camera to be opened. @type {boolean | MediaTrackConstraints} */
  camera = true
  muted = false
  /** Somebody holds. */
  paused = false

  /** Tracks that are ours to stop: neither the application's, nor those of a later call. @type {Set<MediaStreamTrack>} */
  #ours = new Set()
  #lost

  /** @param {(device: 'microphone' | 'camera') => void} lost it was unplugged */
  constructor(lost) {
    this.#lost = lost
  }

  get cameraOn() {
    return this.stream?.getVideoTracks().some((track) => track.readyState === 'live') ?? false
  }

  /** What is to be seen of us. */
  get picture() {
    return this.screen?.getVideoTracks()[0] ?? this.stream?.getVideoTracks()[0] ?? null
  }

  /** @param {Devices & {stream?: MediaStream}} wanted */
  async open({ audio, video, stream }) {
    if (video) this.camera = video
    const media = stream ? { stream, problems: [] } : await openMedia({ audio, video })
    this.#own(media.stream, new Set(stream ? [] : media.stream.getTracks()))
    return media.problems
  }

  /** @param {OwnMedia} before keeps nothing */
  takeOver(before) {
    this.camera = before.camera
    this.muted = before.muted
    this.#own(before.stream ?? new MediaStream(), before.#ours)
    before.#ours = new Set()
    if (before.paused) this.hush()
  }

  /** @param {MediaStream} stream @param {Set<MediaStreamTrack>} ours */
  #own(stream, ours) {
    this.stream = stream
    this.#ours = ours
    for (const track of stream.getTracks()) this.#watch(track)
    this.hushNew()
  }

  /** @param {MediaStreamTrack} track that we opened */
  take(track) {
    this.#ours.add(track)
    this.stream?.addTrack(track)
    this.#watch(track)
    this.hushNew()
  }

  /** @param {MediaStreamTrack[]} tracks */
  drop(tracks) {
    for (const track of tracks) {
      this.stream?.removeTrack(track)
      if (this.#ours.delete(track)) track.stop()
    }
  }

  /** @param {MediaStreamTrack} track a screen @param {() => void} over the person ends it in the browser */
  share(track, over) {
    track.enabled = !this.paused
    this.screen = new MediaStream([track])
    track.addEventListener('ended', () => this.screen?.getTracks().includes(track) && over())
  }

  unshare() {
    for (const track of this.screen?.getTracks() ?? []) track.stop()
    this.screen = null
  }

  close() {
    this.unshare()
    for (const track of this.#ours) track.stop()
  }

  /** Nothing goes out while somebody holds, and no sound while it is muted. @param {'audio'} [kind] only these */
  hush(kind) {
    for (const stream of [this.stream, this.screen]) {
      for (const track of (kind ? stream?.getAudioTracks() : stream?.getTracks()) ?? []) {
        track.enabled = !this.paused && !(this.muted && track.kind === 'audio')
      }
    }
  }

  /** Tracks that join are on; what an application turned off stays so. */
  hushNew() {
    if (this.muted) this.hush('audio')
    if (this.paused) this.hush()
  }

  /** @param {MediaStreamTrack} track one that we stop tells nothing */
  #watch(track) {
    track.addEventListener('ended', () => {
      if (this.stream?.getTracks().includes(track)) this.#lost(track.kind === 'video' ? 'camera' : 'microphone')
    })
  }
}
