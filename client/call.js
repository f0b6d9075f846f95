/**
 * One call, from the press of a button to the reason of its end.
 *
 * States: preparing → calling → proceeding → ringing → accepted → connecting → connected → ended for a call that we
 * make; incoming → accepting → connecting → connected → ended for one that we get. Some may be left out, none comes
 * twice, except that `reconnecting` and `connected` alternate while media is lost and found.
 *
 * The bridge says how far the other person is; how far media is, the peer connection knows better.
 * @module
 */

import { BridgeError, emit, randomId } from './base.js'
import { openCamera, openMedia } from './media.js'
import { Peer } from './peer.js'

const STATS_EVERY = 10_000 // ms
const STATS_SOON = 1_000 // ms after the connection is there: a short call, too, tells whether it heard anything
const ORDER = ['preparing', 'calling', 'proceeding', 'ringing', 'incoming', 'accepting', 'accepted', 'connecting', 'connected', 'reconnecting', 'ended']
/** Why a call ended that the bridge refused, by the code of its error; every other code is `failed`. @type {Record<string, string>} */
const REFUSED = {
  forbidden: 'unreachable',
  'unknown-contact': 'unreachable',
  'rate-limited': 'overload',
  draining: 'unreachable',
  'bad-description': 'failed-media',
  'not-negotiable': 'failed-media',
  'unknown-call': 'gone',
}

const DEVICE = /^(microphone|camera|insecure)-/

/** @typedef {import('./signalling.js').Signalling} Signalling */
/** @typedef {{audio?: boolean | MediaTrackConstraints, video?: boolean | MediaTrackConstraints, stream?: MediaStream}} Wanted */

/**
 * Events: `state`, `ended` ({reason, text, error}), `moved` (the Call that goes on instead), `streams`, `mute` ({kind, muted}),
 * `abilities`, `problem` (BridgeError).
 */
export class Call extends EventTarget {
  id
  /** @type {'out' | 'in'} */
  direction
  /** Address of the other side. @type {string} */
  peer
  /** Name of the other side. @type {string} */
  name
  /** What the call was asked for. @type {{audio: boolean, video: boolean}} */
  media
  state
  abilities = { bundle: false, restart: false, add: false, modify: false }
  muted = false
  remoteMuted = false
  remoteCameraOff = false
  /** @type {MediaStream | null} */
  localStream = null
  /** When the two began to talk, as Date.now(); a call that went on as this one counts. @type {number | null} */
  connectedAt = null
  /** @type {string | null} */
  reason = null
  text = ''
  /** @type {BridgeError | null} */
  error = null
  /** Somebody listens to `moved`. Without that the call is never moved: there would be one that nobody sees. */
  followed = false

  #link
  /** @type {Peer | null} */
  #peer = null
  #announced // the bridge knows of this call
  #accepted = false // the bridge knows that we accepted
  #up = false // media has flowed
  #owned = true // localStream is ours to stop: neither the application's, nor that of a later call
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #statsTimer
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soonTimer

  /**
   * @param {Signalling} link
   * @param {{call?: string, direction: 'out' | 'in', with: string, name: string, media: {audio: boolean, video: boolean}}} about
   */
  constructor(link, { call = randomId(), direction, with: peer, name, media }) {
    super()
    this.#link = link
    this.#announced = direction === 'in'
    this.id = call
    this.direction = direction
    this.peer = peer
    this.name = name
    this.media = media
    this.state = direction === 'in' ? 'incoming' : 'preparing'
  }

  /**
   * @param {string} type
   * @param {any} listener
   * @param {any} [options]
   */
  addEventListener(type, listener, options) {
    this.followed ||= type === 'moved'
    super.addEventListener(type, listener, options)
  }

  /** @returns {RTCPeerConnection | null} null until microphone, camera and ICE servers are there */
  get peerConnection() {
    return this.#peer?.connection ?? null
  }

  /** @returns {MediaStream | null} another object when a track is added, told by `streams` */
  get remoteStream() {
    return this.#peer?.remoteStream ?? null
  }

  get cameraOn() {
    return this.localStream?.getVideoTracks().some((track) => track.readyState === 'live') ?? false
  }

  /** Can `camera(true)` do anything? Not if the other side takes no such change. */
  get cameraPossible() {
    const transceiver = this.#peer?.transceiver('video')
    return this.cameraOn || (transceiver ? sends(transceiver) || this.abilities.modify : this.abilities.add)
  }

  get ended() {
    return this.state === 'ended'
  }

  // --- what the person does ---------------------------------------------------------------------------------------

  /**
   * Sends the call out. Never rejects: what goes wrong ends the call.
   * @param {Wanted} wanted
   */
  async start({ audio = true, video = false, stream }) {
    try {
      const peer = await this.#prepare({ audio, video, stream })
      if (!peer) return
      const description = await peer.offer(video ? ['audio', 'video'] : ['audio'])
      if (this.ended) return
      this.#announced = true
      const sent = this.#link.request('call', { call: this.id, to: this.peer, description })
      this.#become('calling')
      await sent
    } catch (error) {
      this.#fail(error)
    }
  }

  /**
   * Takes an incoming call. What is not sent is still received.
   * @param {Wanted} [wanted]
   * @throws {BridgeError} for example microphone-refused; the call goes on ringing
   */
  async accept({ audio = true, video = false, stream } = {}) {
    if (this.state !== 'incoming') throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    this.#become('accepting')
    try {
      if (!await this.#prepare({ audio, video: video && this.media.video, stream })) return
      this.#accepted = true
      await this.#link.request('accept', { call: this.id })
    } catch (error) {
      if (this.#accepted) this.#fail(error)
      else this.#backToRinging()
      throw error
    }
  }

  /**
   * Takes a call that the bridge says goes on with `before`: with the same microphone and camera, and nobody is asked. Never
   * rejects. J-067, J-069
   * @param {Call} before
   */
  async goOn(before) {
    this.muted = before.muted
    this.connectedAt = before.connectedAt
    this.#accepted = true
    this.#become('accepting')
    const prepared = this.#prepare({ audio: false, video: false, stream: before.localStream ?? undefined, owned: before.#owned })
    before.#owned = false
    emit(before, 'moved', this)
    before.finish('moved')
    try {
      if (await prepared) await this.#link.request('accept', { call: this.id })
    } catch (error) {
      this.#fail(error)
    }
  }

  /** @param {{busy?: boolean}} [options] */
  reject({ busy = false } = {}) {
    if (this.ended) return
    this.#link.request('reject', { call: this.id, busy }).catch(() => {})
    this.finish(busy ? 'busy' : 'declined')
  }

  hangUp() {
    if (this.direction === 'in' && !this.#accepted) this.reject()
    else this.leave(this.direction === 'out' && ORDER.indexOf(this.state) < ORDER.indexOf('accepted') ? 'cancelled' : 'ended')
  }

  /** @param {boolean} [on] true: the other side hears nothing */
  mute(on = true) {
    for (const track of this.localStream?.getAudioTracks() ?? []) track.enabled = !on
    if (this.muted === on) return
    this.muted = on
    this.#inform('audio', on)
    emit(this, 'mute', { kind: 'local', muted: on })
  }

  /**
   * Turns the camera off (its light too) or on.
   * @param {boolean} [on]
   * @throws {BridgeError} camera-refused and the like; not-supported: the peer takes no such change
   */
  async camera(on = true) {
    if (!this.#peer || !this.localStream) throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    if (on === this.cameraOn) return
    const transceiver = this.#peer.transceiver('video')
    if (on) await this.#cameraOn(this.#peer, transceiver, this.localStream)
    else await this.#cameraOff(transceiver, this.localStream)
    this.#inform('video', !on)
    emit(this, 'streams')
  }

  // --- what the bridge says ---------------------------------------------------------------------------------------

  /** @param {any} frame an event of the bridge about this call */
  receive(frame) {
    if (this.ended) return
    switch (frame.type) {
      case 'state':
        this.#able(frame.abilities)
        if (frame.state !== 'connected') this.#advance(frame.state)
        break
      case 'description': this.#describe(frame.description); break
      case 'candidate': this.#peer?.candidate(frame.candidate).catch(() => {}); break
      case 'rollback': this.#peer?.rollback(frame.what); break
      case 'info': this.#informed(frame); break
      case 'ended': this.finish(frame.reason, frame.text); break
    }
  }

  /** @param {any} snapshot this call as `welcome` tells it after events were lost */
  restore({ state, description, candidates = [] }) {
    if (this.ended) return
    if (state !== 'incoming' && state !== 'connected') this.#advance(state)
    const connection = this.peerConnection
    if (!connection) return
    if (description && connection.remoteDescription?.sdp !== description.sdp) {
      if (description.type === 'offer' || connection.signalingState === 'have-local-offer') this.#describe(description)
    }
    for (const candidate of candidates) this.#peer?.candidate(candidate).catch(() => {})
    setTimeout(() => this.#report()) // whether media still flows is the best sign that the other side is still there
  }

  /**
   * Ends the call from here and says so to the bridge.
   * @param {string} reason
   * @param {{said?: 'ended' | 'failed-ice' | 'failed-media' | 'gone', error?: BridgeError}} [more]
   */
  leave(reason, { said = 'ended', error } = {}) {
    if (this.ended) return
    if (this.#link.forget(this.id)) this.#announced = false
    if (this.#announced) this.#link.request('hangup', { call: this.id, reason: said }).catch(() => {})
    this.finish(reason, error?.message, error)
  }

  /**
   * The call is over; nothing more is sent.
   * @param {string} reason
   * @param {string} [text]
   * @param {BridgeError | null} [error]
   */
  finish(reason, text = '', error = null) {
    if (this.ended) return
    this.#release()
    this.reason = reason
    this.text = text
    this.error = error
    this.#become('ended')
    emit(this, 'ended', { reason, text, error })
  }

  // --- inside -----------------------------------------------------------------------------------------------------

  /**
   * Opens microphone and camera, asks for ICE servers, makes the peer connection.
   * @param {Wanted & {audio: any, video: any, owned?: boolean}} wanted
   * @returns {Promise<Peer | null>} null when the call ended meanwhile
   */
  async #prepare({ audio, video, stream, owned = !stream }) {
    this.#owned = owned
    const asked = this.#link.request('ice', { to: this.peer })
    asked.catch(() => {}) // awaited below, unless the microphone fails first
    const media = stream ? { stream, problems: [] } : await openMedia({ audio, video })
    this.localStream = media.stream
    this.mute(this.muted)
    const ice = this.ended ? null : await asked
    if (!ice || this.ended) {
      this.#release()
      return null
    }
    this.#peer = new Peer(ice, media.stream, {
      send: (type, fields) => this.#link.request(type, { call: this.id, ...fields }),
      changed: (state) => this.#changed(state),
      arrived: () => emit(this, 'streams'),
      refused: (error, what) => this.#refused(error, what),
    })
    emit(this, 'streams')
    for (const problem of media.problems) emit(this, 'problem', problem)
    return this.#peer
  }

  #release() {
    clearInterval(this.#statsTimer)
    clearTimeout(this.#soonTimer)
    this.#peer?.close()
    if (this.#owned) this.localStream?.getTracks().forEach((track) => track.stop())
  }

  #backToRinging() {
    if (this.ended) return
    this.#release()
    this.#become('incoming')
  }

  /** @param {any} cause */
  #fail(cause) {
    const error = cause instanceof BridgeError ? cause : new BridgeError('internal', String(cause), { cause })
    const reason = DEVICE.test(error.code) ? 'failed-media' : REFUSED[error.code] ?? 'failed'
    this.leave(reason, { error, said: reason === 'failed-media' ? reason : 'ended' })
  }

  /**
   * @param {BridgeError} error
   * @param {RTCSdpType} what
   */
  #refused(error, what) {
    if (what === 'answer' && !this.#up) return this.#fail(error)
    const transceiver = this.#peer?.transceiver('video')
    if (this.localStream && this.cameraOn && !sends(transceiver)) {
      this.#cameraOff(transceiver, this.localStream).catch(() => {}) // nobody would see it
      emit(this, 'streams')
    }
    emit(this, 'problem', error)
  }

  /** @param {RTCSessionDescriptionInit} description */
  #describe(description) {
    const sending = Boolean(this.#peer?.transceiver('video')) // no more, if we have stopped it ourselves
    this.#peer?.receive(description).then(() => this.#seen(sending), (cause) => {
      this.#fail(new BridgeError('bad-description', 'The browser does not take what the other side sent.', { cause }))
    })
  }

  /**
   * A camera whose section is no more is seen by nobody.
   * @param {boolean} before there was a section
   */
  #seen(before) {
    if (!this.cameraOn || !this.localStream || this.#peer?.transceiver('video')) return
    this.#cameraOff(undefined, this.localStream)
    emit(this, 'streams')
    if (before) emit(this, 'problem', new BridgeError('camera-unwanted', 'The other side takes no video.'))
  }

  /** @param {{bundle: boolean, restart: boolean, add: boolean, modify: boolean}} abilities */
  #able(abilities) {
    this.abilities = abilities
    emit(this, 'abilities')
  }

  /** @param {RTCPeerConnectionState} state */
  #changed(state) {
    this.#report()
    if (state === 'connecting' && !this.#up) this.#advance('connecting')
    if (state === 'disconnected' && this.#up) this.#become('reconnecting')
    if (state === 'failed') this.leave('failed-ice', { said: 'failed-ice' })
    if (state !== 'connected') return
    if (!this.#up) {
      this.#up = true
      this.#statsTimer = setInterval(() => this.#report(), STATS_EVERY)
      this.#soonTimer = setTimeout(() => this.#report(), STATS_SOON)
      if (this.muted) this.#inform('audio', true) // what was said before the call was up reached nobody
    }
    this.connectedAt ??= Date.now()
    this.#become('connected')
  }

  async #report() {
    try {
      const stats = await this.#peer?.stats()
      if (stats && !this.ended) await this.#link.request('stats', { call: this.id, ...stats }, { urgent: true })
    } catch {
      // The next report comes in ten seconds.
    }
  }

  /**
   * @param {Peer} peer
   * @param {RTCRtpTransceiver | undefined} transceiver
   * @param {MediaStream} stream
   */
  async #cameraOn(peer, transceiver, stream) {
    if (!this.cameraPossible) throw new BridgeError('not-supported', 'The other side takes no new video in this call.')
    const track = await openCamera()
    if (this.ended) return track.stop()
    stream.addTrack(track)
    if (!transceiver) await peer.add(track)
    else if (sends(transceiver)) await transceiver.sender.replaceTrack(track)
    else await peer.startSending(transceiver, track)
  }

  /**
   * @param {RTCRtpTransceiver | undefined} transceiver
   * @param {MediaStream} stream
   */
  async #cameraOff(transceiver, stream) {
    for (const track of stream.getVideoTracks()) {
      track.stop()
      stream.removeTrack(track)
    }
    await transceiver?.sender.replaceTrack(null)
  }

  /**
   * Tells the other side what of ours it does not get. J-209
   * @param {'audio' | 'video'} kind
   * @param {boolean} mute
   */
  #inform(kind, mute) {
    const mid = this.#peer?.transceiver(kind)?.mid
    if (!mid || this.ended) return
    this.#link.request('info', { call: this.id, info: mute ? 'mute' : 'unmute', mid }).catch(() => {})
  }

  /** @param {{info: string, mid?: string | null}} frame */
  #informed({ info, mid }) {
    if (info !== 'mute' && info !== 'unmute') return
    const kind = mid ? this.#peer?.kindOf(mid) : undefined
    if (kind !== 'video') this.remoteMuted = info === 'mute'
    if (kind !== 'audio') this.remoteCameraOff = info === 'mute'
    emit(this, 'mute', { kind: 'remote', muted: this.remoteMuted, cameraOff: this.remoteCameraOff })
  }

  /** @param {string} state that the bridge tells, perhaps late */
  #advance(state) {
    if (ORDER.indexOf(state) > ORDER.indexOf(this.state)) this.#become(state)
  }

  /** @param {string} state */
  #become(state) {
    if (this.state === state) return
    this.state = state
    emit(this, 'state', { state })
  }
}

/** @param {RTCRtpTransceiver} [transceiver] */
function sends(transceiver) {
  const direction = transceiver?.currentDirection ?? transceiver?.direction // before the answer: as offered
  return direction === 'sendrecv' || direction === 'sendonly'
}
