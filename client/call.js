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
import { openCamera, openMedia, openScreen, screenPossible } from './media.js'
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
 * `hold` ({held, remoteHeld}), `abilities`, `problem` (BridgeError).
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
  /** We hold: nothing of the other side is heard or seen, and nothing of ours. */
  held = false
  /** The other side holds: it takes nothing. */
  remoteHeld = false
  /** What is shared instead of the camera. @type {MediaStream | null} */
  screenStream = null
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
  /** Tracks that are ours to stop: neither the application's, nor those of a later call. @type {Set<MediaStreamTrack>} */
  #ours = new Set()
  #saidHold = false // the other side said that it holds
  /** The camera to be opened. @type {boolean | MediaTrackConstraints} */
  #camera = true
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
    return this.cameraOn || (transceiver ? this.#sends(transceiver) || this.abilities.modify : this.abilities.add)
  }

  get sharing() {
    return this.screenStream !== null
  }

  /** Can `shareScreen(true)` do anything? */
  get screenPossible() {
    return screenPossible() && this.cameraPossible
  }

  /** Can `dtmf()` do anything? */
  get dtmfPossible() {
    return this.#peer?.transceiver('audio')?.sender.dtmf?.canInsertDTMF ?? false
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
    this.held = before.held
    this.connectedAt = before.connectedAt
    this.#accepted = true
    this.#become('accepting')
    const prepared = this.#prepare({ audio: false, video: false, stream: before.localStream ?? undefined, ours: before.#ours })
    this.#camera = before.#camera
    before.#ours = new Set()
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
    if (this.muted === on) return
    this.muted = on
    this.#hush('audio')
    this.#inform('audio', on)
    emit(this, 'mute', { kind: 'local', muted: on })
  }

  /**
   * Turns the camera off (its light too) or on.
   * @param {boolean} [on]
   * @throws {BridgeError} camera-refused and the like; not-supported: the peer takes no such change
   */
  async camera(on = true) {
    const { stream } = this.#live()
    if (on === this.cameraOn) return
    if (on) {
      if (!this.cameraPossible) throw new BridgeError('not-supported', 'The other side takes no new video in this call.')
      if (!this.#take(await openCamera(this.#camera))) return
    } else {
      this.#drop(stream.getVideoTracks())
    }
    await this.#show()
    if (!this.sharing) this.#inform('video', !on)
    emit(this, 'streams')
  }

  /**
   * Shows a screen, window or tab instead of the camera, until this is called with false or the person ends it in the browser.
   * @param {boolean} [on]
   * @throws {BridgeError} screen-refused and the like; not-supported: the peer takes no such change, or the browser has no such thing
   */
  async shareScreen(on = true) {
    this.#live()
    if (on === this.sharing) return
    if (on) {
      if (!this.screenPossible) throw new BridgeError('not-supported', 'No screen can be shared in this call.')
      const track = await openScreen()
      if (this.ended || this.sharing) return track.stop()
      track.enabled = !this.held && !this.remoteHeld
      this.screenStream = new MediaStream([track])
      track.addEventListener('ended', () => this.screenStream?.getTracks().includes(track) && this.shareScreen(false))
    } else {
      this.#unshare()
    }
    await this.#show()
    if (!this.cameraOn) this.#inform('video', !on)
    emit(this, 'streams')
  }

  /**
   * Another microphone or camera, without a new negotiation. A camera that is off is opened by the next `camera(true)`.
   * @param {{audioinput?: string, videoinput?: string}} ids as `enumerateDevices()` has them
   * @throws {BridgeError} microphone-missing and the like: the one before goes on
   */
  async switchDevice({ audioinput, videoinput }) {
    const { peer, stream } = this.#live()
    if (audioinput) {
      const [track] = (await openMedia({ audio: { deviceId: { exact: audioinput } }, video: false })).stream.getTracks()
      const [before] = stream.getAudioTracks()
      if (!this.#take(track)) return
      const transceiver = peer.transceiver('audio')
      if (!before && transceiver) await peer.startSending(transceiver, track)
      else await transceiver?.sender.replaceTrack(track)
      this.#drop([before])
    }
    if (videoinput) {
      const camera = { deviceId: { exact: videoinput } }
      if (this.cameraOn) {
        const track = await openCamera(camera)
        const before = stream.getVideoTracks()
        if (!this.#take(track)) return
        this.#drop(before)
        await this.#show()
      }
      this.#camera = camera
    }
    emit(this, 'streams')
  }

  /**
   * Holds the call, or goes on with it. The other side is told, and sends nothing meanwhile if it can; if not, it is not heard. J-208
   * @param {boolean} [on]
   */
  async hold(on = true) {
    this.#live()
    if (!this.#up) throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    if (on === this.held) return
    this.#holds(on)
    await this.#sayHold()
  }

  /**
   * Keys of a telephone, for those who let one choose by them.
   * @param {string} tones 0 to 9, A to D, #, *; a comma is a pause of 2 s. They follow those that are not played yet.
   * @throws {BridgeError} not-supported: the other side takes none, or there is no microphone
   */
  dtmf(tones) {
    const sender = this.#peer?.transceiver('audio')?.sender.dtmf
    if (!sender?.canInsertDTMF) throw new BridgeError('not-supported', 'The other side takes no keys in this call.')
    sender.insertDTMF(sender.toneBuffer + tones)
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
   * @param {Wanted & {audio: any, video: any, ours?: Set<MediaStreamTrack>}} wanted
   * @returns {Promise<Peer | null>} null when the call ended meanwhile
   */
  async #prepare({ audio, video, stream, ours }) {
    const asked = this.#link.request('ice', { to: this.peer })
    asked.catch(() => {}) // awaited below, unless the microphone fails first
    if (video) this.#camera = video
    const media = stream ? { stream, problems: [] } : await openMedia({ audio, video })
    this.localStream = media.stream
    const tracks = media.stream.getTracks()
    this.#ours = ours ?? new Set(stream ? [] : tracks)
    for (const track of tracks) this.#watch(track)
    this.#hushNew()
    const ice = this.ended ? null : await asked
    if (!ice || this.ended) {
      this.#release()
      return null
    }
    this.#peer = new Peer(ice, media.stream, {
      send: (type, fields) => this.#link.request(type, { call: this.id, ...fields }),
      changed: (state) => this.#changed(state),
      arrived: () => { this.#hushNew(); emit(this, 'streams') },
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
    this.#unshare()
    for (const track of this.#ours) track.stop()
  }

  /** @returns {{peer: Peer, stream: MediaStream}} of a call that is neither over nor just beginning */
  #live() {
    if (!this.#peer || !this.localStream || this.ended) throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    return { peer: this.#peer, stream: this.localStream }
  }

  /** Tracks that join are on; what an application turned off stays so. */
  #hushNew() {
    if (this.muted) this.#hush('audio')
    if (this.held || this.remoteHeld) this.#hush()
  }

  /**
   * Nothing of ours goes out while it is muted or somebody holds, and nothing of theirs is heard while we do.
   * @param {'audio'} [kind] only these
   */
  #hush(kind) {
    const open = !this.held && !this.remoteHeld
    for (const stream of [this.localStream, this.screenStream]) {
      for (const track of (kind ? stream?.getAudioTracks() : stream?.getTracks()) ?? []) track.enabled = open && !(this.muted && track.kind === 'audio')
    }
    for (const track of this.remoteStream?.getTracks() ?? []) track.enabled = !this.held
  }

  /**
   * @param {boolean} held
   * @param {boolean} [remote]
   */
  #holds(held, remote = this.remoteHeld) {
    if (held === this.held && remote === this.remoteHeld) return
    this.held = held
    this.remoteHeld = remote
    this.#hush()
    emit(this, 'hold', { held, remoteHeld: remote })
  }

  /**
   * A track of our own joins localStream.
   * @param {MediaStreamTrack} track
   * @returns {boolean} false: the call has ended meanwhile
   */
  #take(track) {
    if (this.ended) track.stop()
    else {
      this.#ours.add(track)
      this.localStream?.addTrack(track)
      this.#watch(track)
      this.#hushNew()
    }
    return !this.ended
  }

  /** @param {MediaStreamTrack} track tells when its device is gone; a track that we stop tells nothing */
  #watch(track) {
    track.addEventListener('ended', () => {
      if (this.ended || !this.localStream?.getTracks().includes(track)) return
      const device = track.kind === 'video' ? 'camera' : 'microphone'
      if (device === 'camera') this.#blind()
      emit(this, 'problem', new BridgeError(`${device}-lost`, `The ${device} was unplugged.`))
    })
  }

  /** @param {MediaStreamTrack[]} tracks that leave localStream */
  #drop(tracks) {
    for (const track of tracks.filter(Boolean)) {
      this.localStream?.removeTrack(track)
      if (this.#ours.delete(track)) track.stop()
    }
  }

  #unshare() {
    for (const track of this.screenStream?.getTracks() ?? []) track.stop()
    this.screenStream = null
  }

  /** The camera is gone, or nobody sees it. */
  #blind() {
    this.#drop(this.localStream?.getVideoTracks() ?? [])
    this.#show().catch(() => {})
    if (!this.sharing) this.#inform('video', true)
    emit(this, 'streams')
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
    if ((this.cameraOn || this.sharing) && !this.#sends(transceiver)) this.#unseen()
    emit(this, 'problem', error)
  }

  /** @param {RTCSessionDescriptionInit} description */
  #describe(description) {
    const sending = Boolean(this.#peer?.transceiver('video')) // no more, if we have stopped it ourselves
    this.#peer?.receive(description).then(() => this.#agreed(sending), (cause) => {
      this.#fail(new BridgeError('bad-description', 'The browser does not take what the other side sent.', { cause }))
    })
  }

  /**
   * A camera whose section is no more is seen by nobody, and who takes nothing of us holds.
   * @param {boolean} before there was a section
   */
  #agreed(before) {
    if (!this.#peer) return
    this.#holds(this.held, this.#saidHold || this.#peer.refused)
    if (!(this.cameraOn || this.sharing) || this.#peer.transceiver('video')) return
    this.#unseen()
    if (before) emit(this, 'problem', new BridgeError('camera-unwanted', 'The other side takes no video.'))
  }

  #unseen() {
    this.#unshare()
    this.#blind()
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
      if (this.held) this.#sayHold()
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

  /** @param {RTCRtpTransceiver} [transceiver] */
  #sends(transceiver) {
    const agreed = this.remoteHeld ? null : transceiver?.currentDirection
    return (agreed ?? transceiver?.direction)?.startsWith('send') ?? false // before the answer, and while they hold: as offered
  }

  /** Sends the screen, else the camera, else nothing, in the section for video. */
  async #show() {
    const peer = this.#peer
    const track = this.screenStream?.getVideoTracks()[0] ?? this.localStream?.getVideoTracks()[0] ?? null
    const transceiver = peer?.transceiver('video')
    if (!track || this.#sends(transceiver)) await transceiver?.sender.replaceTrack(track)
    else if (transceiver) await peer?.startSending(transceiver, track)
    else await peer?.add(track)
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

  async #sayHold() {
    this.#link.request('info', { call: this.id, info: this.held ? 'hold' : 'active' }).catch(() => {})
    if (this.abilities.modify || this.#peer?.held) await this.#peer?.hold(this.held)
  }

  /** @param {{info: string, mid?: string | null}} frame */
  #informed({ info, mid }) {
    if (info === 'hold' || info === 'active') {
      this.#saidHold = info === 'hold'
      return this.#holds(this.held, this.#saidHold || (this.#peer?.refused ?? false))
    }
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
