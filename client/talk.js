/**
 * What two people do while a call is up: mute, camera, screen, hold, keys. Tells the other side, and takes what it tells.
 * @module
 */

import { BridgeError, emit, randomId } from './base.js'
import { openCamera, openMedia, openScreen, OwnMedia, screenPossible } from './media.js'

/** What a page may use of this: index.d.ts. */
export class Talk extends EventTarget {
  id
  direction
  peer
  name
  media
  state
  abilities = { bundle: false, restart: false, add: false, modify: false }
  held = false
  remoteHeld = false
  remoteMuted = false
  remoteCameraOff = false
  /** @type {import('./peer.js').Peer | null} */
  rtc = null
  up = false // media has flowed
  own = new OwnMedia((device) => this.#unplugged(device))
  link

  #saidHold = false // the other side said that it holds

  /**
   * @param {import('./signalling.js').Signalling} link
   * @param {{call?: string, direction: 'out' | 'in', with: string, name: string, media: {audio: boolean, video: boolean}}} about
   */
  constructor(link, { call = randomId(), direction, with: peer, name, media }) {
    super()
    this.link = link
    this.id = call
    this.direction = direction
    this.peer = peer
    this.name = name
    this.media = media
    this.state = direction === 'in' ? 'incoming' : 'preparing'
  }

  get ended() {
    return this.state === 'ended'
  }

  get peerConnection() {
    return this.rtc?.connection ?? null
  }

  get localStream() {
    return this.own.stream
  }

  get remoteStream() {
    return this.rtc?.remoteStream ?? null
  }

  get screenStream() {
    return this.own.screen
  }

  get sharing() {
    return this.own.screen !== null
  }

  get remoteSharing() {
    return this.rtc?.remoteSlides ?? false
  }

  get muted() {
    return this.own.muted
  }

  get cameraOn() {
    return this.own.cameraOn
  }

  get cameraPossible() {
    const { abilities } = this
    const transceiver = this.rtc?.transceiver('video')
    return this.own.cameraOn || (transceiver ? this.#sends(transceiver) || abilities.modify : abilities.add)
  }

  get screenPossible() {
    return screenPossible() && this.cameraPossible
  }

  get dtmfPossible() {
    return this.rtc?.transceiver('audio')?.sender.dtmf?.canInsertDTMF ?? false
  }

  // --- what the person does

  mute(on = true) {
    const { own } = this
    if (own.muted === on) return
    own.muted = on
    own.hush('audio')
    this.#inform('audio', on)
    emit(this, 'mute', { kind: 'local', muted: on })
  }

  async camera(on = true) {
    const { own } = this.#live()
    if (on === own.cameraOn) return
    if (on) {
      if (!this.cameraPossible) throw new BridgeError('not-supported', 'The other side takes no new video in this call.')
      if (!this.#take(await openCamera(own.camera))) return
    } else {
      own.drop(own.stream?.getVideoTracks() ?? [])
    }
    await this.#show()
    if (!own.screen) this.#inform('video', !on)
    emit(this, 'streams')
  }

  async shareScreen(on = true) {
    const { own } = this.#live()
    if (on === Boolean(own.screen)) return
    if (on) {
      if (!this.screenPossible) throw new BridgeError('not-supported', 'No screen can be shared in this call.')
      const track = await openScreen()
      if (this.ended || own.screen) return track.stop()
      own.share(track, () => this.shareScreen(false))
    } else {
      own.unshare()
    }
    await this.#show()
    if (!own.cameraOn) this.#inform('video', !on)
    emit(this, 'streams')
  }

  /** @param {{audioinput?: string, videoinput?: string}} ids */
  async switchDevice({ audioinput, videoinput }) {
    const { rtc, own, stream } = this.#live()
    if (audioinput) {
      const [track] = (await openMedia({ audio: { deviceId: { exact: audioinput } }, video: false })).stream.getTracks()
      const before = stream.getAudioTracks()
      if (!this.#take(track)) return
      const transceiver = rtc.transceiver('audio')
      if (!before[0] && transceiver) await rtc.startSending(transceiver, track)
      else await transceiver?.sender.replaceTrack(track)
      own.drop(before)
    }
    if (videoinput) {
      const camera = { deviceId: { exact: videoinput } }
      if (own.cameraOn) {
        const track = await openCamera(camera)
        const before = stream.getVideoTracks()
        if (!this.#take(track)) return
        own.drop(before)
        await this.#show()
      }
      own.camera = camera
    }
    emit(this, 'streams')
  }

  async hold(on = true) {
    this.#live()
    if (!this.up) throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    if (on === this.held) return
    this.#holds(on)
    await this.#sayHold()
  }

  /** @param {string} tones */
  dtmf(tones) {
    const sender = this.rtc?.transceiver('audio')?.sender.dtmf
    if (!sender?.canInsertDTMF) throw new BridgeError('not-supported', 'The other side takes no keys in this call.')
    sender.insertDTMF(sender.toneBuffer + tones)
  }

  // --- what the call hears

  /** Media flows; what was said before reached nobody. */
  begin() {
    this.up = true
    if (this.own.muted) this.#inform('audio', true)
    if (this.held) this.#sayHold()
  }

  arrived() {
    this.own.hushNew()
    if (this.held) this.#deafen()
    emit(this, 'streams')
  }

  /** @param {{info: string, mid?: string | null}} frame */
  informed({ info, mid }) {
    if (info === 'hold' || info === 'active') {
      this.#saidHold = info === 'hold'
      return this.#holds(this.held, this.#saidHold || (this.rtc?.refused ?? false))
    }
    if (info !== 'mute' && info !== 'unmute') return
    const kind = mid ? this.rtc?.kindOf(mid) : undefined
    if (kind !== 'video') this.remoteMuted = info === 'mute'
    if (kind !== 'audio') this.remoteCameraOff = info === 'mute'
    emit(this, 'mute', { kind: 'remote', muted: this.remoteMuted, cameraOff: this.remoteCameraOff })
  }

  /** A change of ours was not taken. */
  refused() {
    if (this.own.picture && !this.#sends(this.rtc?.transceiver('video'))) this.#unseen()
  }

  /**
   * A camera whose section is no more is seen by nobody, and who takes nothing of us holds.
   * @param {boolean} before there was a section
   */
  agreed(before) {
    const { rtc } = this
    if (!rtc) return
    this.#holds(this.held, this.#saidHold || rtc.refused)
    if (!this.own.picture || rtc.transceiver('video')) return
    this.#unseen()
    if (before) emit(this, 'problem', new BridgeError('camera-unwanted', 'The other side takes no video.'))
  }

  // --- inside

  #live() {
    const { rtc, own } = this
    if (!rtc || !own.stream || this.ended) throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    return { rtc, own, stream: own.stream }
  }

  /** @param {MediaStreamTrack} track @returns {boolean} false: the call has ended meanwhile */
  #take(track) {
    if (this.ended) track.stop()
    else this.own.take(track)
    return !this.ended
  }

  /** @param {'microphone' | 'camera'} device */
  #unplugged(device) {
    if (this.ended) return
    if (device === 'camera') this.#blind()
    emit(this, 'problem', new BridgeError(`${device}-lost`, `The ${device} was unplugged.`))
  }

  #blind() {
    const { own } = this
    own.drop(own.stream?.getVideoTracks() ?? [])
    this.#show().catch(() => {})
    if (!own.screen) this.#inform('video', true)
    emit(this, 'streams')
  }

  #unseen() {
    this.own.unshare()
    this.#blind()
  }

  async #show() {
    const { rtc, own } = this
    if (!rtc) return
    const slides = own.screen !== null
    const another = slides !== rtc.slides
    rtc.slides = slides
    const track = own.picture
    const transceiver = rtc.transceiver('video')
    if (track && !this.#sends(transceiver)) return transceiver ? rtc.startSending(transceiver, track) : rtc.add(track)
    await transceiver?.sender.replaceTrack(track)
    if (another) await rtc.describe()
  }

  /** @param {RTCRtpTransceiver} [transceiver] */
  #sends(transceiver) {
    const agreed = this.remoteHeld ? null : transceiver?.currentDirection
    return (agreed ?? transceiver?.direction)?.startsWith('send') ?? false // before the answer, and while they hold: as offered
  }

  /** @param {boolean} held @param {boolean} [remote] */
  #holds(held, remote = this.remoteHeld) {
    if (held === this.held && remote === this.remoteHeld) return
    this.held = held
    this.remoteHeld = remote
    this.own.paused = held || remote
    this.own.hush()
    this.#deafen()
    emit(this, 'hold', { held, remoteHeld: remote })
  }

  /** Nothing of theirs is heard or seen while we hold. */
  #deafen() {
    for (const track of this.rtc?.remoteStream?.getTracks() ?? []) track.enabled = !this.held
  }

  /** What of ours the other side does not get. J-209 @param {'audio' | 'video'} kind @param {boolean} mute */
  #inform(kind, mute) {
    const mid = this.rtc?.transceiver(kind)?.mid
    if (mid && !this.ended) this.#tell(mute ? 'mute' : 'unmute', mid)
  }

  /** @param {string} info @param {string} [mid] */
  #tell(info, mid) {
    this.link.request('info', { call: this.id, info, ...mid && { mid } }).catch(() => {})
  }

  async #sayHold() {
    this.#tell(this.held ? 'hold' : 'active')
    if (this.abilities.modify || this.rtc?.held) await this.rtc?.hold(this.held)
  }
}
