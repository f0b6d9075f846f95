/**
 * One RTCPeerConnection: perfect negotiation with the bridge, of which this is the polite side: it takes every offer, the browser
 * rolls our own back and asks for negotiation again. All is done in the order of arrival.
 *
 * An offer that the other side does not take is rolled back and its change undone. Where nothing can be undone (an ICE
 * restart, a stopped section) the browser asks for the same again; it is not sent twice.
 *
 * Spec: W3C WebRTC §10.7 (perfect negotiation); J-089, J-192, J-258.
 * @module
 */

import { BridgeError } from './base.js'
import { difference, showsSlides } from './sdp.js'

/** @typedef {'audio' | 'video'} Kind */
/**
 * @typedef {{
 *   send(type: 'description' | 'candidate', fields: object): Promise<any>,
 *   changed(state: RTCPeerConnectionState): void,
 *   arrived(): void,
 *   refused(error: BridgeError, what: RTCSdpType): void,
 * }} Wiring arrived: remoteStream is another one; refused: our offer or answer was not taken
 */

export class Peer {
  connection
  /**
   * One stream, whatever the SDP says; another one for each track: a media element of Chromium that was given an empty one stays
   * silent when tracks are added.
   * @type {MediaStream | null}
   */
  remoteStream = null
  slides = false // our picture is a screen
  remoteSlides = false

  #wiring
  #local
  /** @type {(RTCIceCandidateInit | null)[]} */
  #early = []
  /** @type {Promise<any>} */
  #tail = Promise.resolve()
  /** @type {Set<RTCRtpTransceiver>} */
  #attached = new Set()
  /** Our offer that has no answer yet; not the first one. @type {RTCSessionDescriptionInit | null} */
  #pending = null
  #asked = '' // what that offer changes
  #refused = '' // the change that was refused last
  #said = '' // the section of ours that is known to be a screen
  /** Directions as last agreed on. @type {Map<RTCRtpTransceiver, RTCRtpTransceiverDirection>} */
  #agreed = new Map()

  /** @param {RTCConfiguration} ice @param {MediaStream} local @param {Wiring} wiring */
  constructor({ iceServers, iceTransportPolicy }, local, wiring) {
    this.#wiring = wiring
    this.#local = local
    const connection = new RTCPeerConnection({
      iceServers,
      iceTransportPolicy,
      // COMPAT(Dino 0.4.2): knows no BUNDLE; with max-bundle only the first section would get candidates. J-192
      bundlePolicy: 'balanced',
      rtcpMuxPolicy: 'require',
    })
    this.connection = connection
    connection.ontrack = ({ track }) => {
      this.remoteStream = new MediaStream([...this.remoteStream?.getTracks() ?? [], track])
      wiring.arrived()
    }
    connection.onicecandidate = ({ candidate }) => {
      wiring.send('candidate', { candidate: candidate?.toJSON() ?? null }).catch(() => {}) // one lost candidate ends nothing
    }
    connection.onconnectionstatechange = () => wiring.changed(connection.connectionState)
  }

  /** The first one: a section for each kind, sending where there is a track. @param {Kind[]} kinds */
  async offer(kinds) {
    for (const kind of kinds) {
      const track = this.#track(kind)
      const transceiver = this.connection.addTransceiver(track ?? kind, {
        direction: track ? 'sendrecv' : 'recvonly',
        streams: track ? [this.#local] : [],
      })
      this.#attached.add(transceiver)
    }
    await this.connection.setLocalDescription()
    return this.#description()
  }

  /** @param {RTCSessionDescriptionInit} description */
  receive(description) {
    return this.#queue(async () => {
      const { connection } = this
      const isOffer = description.type === 'offer'
      if (!isOffer && connection.signalingState !== 'have-local-offer') return // of an offer that was taken back
      await connection.setRemoteDescription(description)
      for (const candidate of this.#early.splice(0)) await this.#add(candidate)
      this.#look(description.sdp)
      if (isOffer) {
        await this.#attach()
        await connection.setLocalDescription()
        this.#said = this.#screen
        this.#send()
      } else {
        this.#refused = ''
      }
      this.#agree(isOffer && this.#pending !== null)
      this.#pending = null
      this.#forgetStopped()
      connection.onnegotiationneeded = () => this.#negotiate()
    })
  }

  /** The other side does not take our offer. @param {string} [what] of it */
  rollback(what) {
    const description = this.#pending
    if (description) return this.#takeBack(description, new BridgeError('not-negotiable', 'The other side does not take this change.', { what }))
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  candidate(candidate) {
    return this.#queue(async () => {
      if (this.connection.remoteDescription) await this.#add(candidate)
      else this.#early.push(candidate)
    })
  }

  /** The section of this kind that we use. @param {Kind} kind */
  transceiver(kind) {
    return this.#live().find((transceiver) => transceiver.receiver.track.kind === kind)
  }

  /** @param {string} mid */
  kindOf(mid) {
    return this.connection.getTransceivers().find((transceiver) => transceiver.mid === mid)?.receiver.track.kind
  }

  /** In a section that only received until now. @param {RTCRtpTransceiver} transceiver @param {MediaStreamTrack} track */
  async startSending(transceiver, track) {
    await transceiver.sender.replaceTrack(track)
    transceiver.direction = way(true, this.held)
    await this.describe()
  }

  /** Do we take nothing of what the other side sends? */
  get held() {
    const live = this.#live()
    return live.length > 0 && live.every(({ direction }) => direction === 'sendonly' || direction === 'inactive')
  }

  /** Does the other side take nothing of ours? */
  get refused() {
    const live = this.#live().filter((transceiver) => transceiver.currentDirection && transceiver.direction.startsWith('send'))
    return live.length > 0 && live.every(({ currentDirection }) => currentDirection === 'recvonly' || currentDirection === 'inactive')
  }

  /** Asks the other side to send nothing, or to send again. @param {boolean} on */
  async hold(on) {
    for (const transceiver of this.#live()) transceiver.direction = way(transceiver.direction.startsWith('send'), on)
    await this.describe()
  }

  /** In a section of its own, or in that which the peer is offering at the same time. @param {MediaStreamTrack} track */
  async add(track) {
    const sender = this.connection.addTrack(track, this.#local)
    const transceiver = this.connection.getTransceivers().find((item) => item.sender === sender)
    if (transceiver) {
      if (this.held) transceiver.direction = 'sendonly'
      this.#attached.add(transceiver)
    }
    await this.describe()
  }

  close() {
    this.connection.onnegotiationneeded = null
    this.connection.onicecandidate = null
    this.connection.onconnectionstatechange = null
    this.connection.ontrack = null
    this.connection.close()
  }

  #live() {
    return [...this.#attached].filter(({ direction }) => direction !== 'stopped')
  }

  /** @param {Kind} kind */
  #track(kind) {
    return this.#local.getTracks().find((track) => track.kind === kind)
  }

  /** Each new section of an offer gets our track of its kind; the first one only, the others just receive. J-089 */
  async #attach() {
    const { held } = this
    for (const transceiver of this.connection.getTransceivers()) {
      if (this.#attached.has(transceiver) || transceiver.direction === 'stopped') continue
      const kind = /** @type {Kind} */ (transceiver.receiver.track.kind)
      const track = this.transceiver(kind) ? undefined : this.#track(kind)
      this.#attached.add(transceiver)
      if (track) {
        await transceiver.sender.replaceTrack(track)
        transceiver.sender.setStreams?.(this.#local)
      }
      transceiver.direction = way(Boolean(track), held)
    }
  }

  /** Offers what is new. The person wants it, so also what was refused before. */
  describe() {
    this.#refused = ''
    return this.#negotiate()
  }

  /** Another way for the media. */
  restart() {
    this.connection.restartIce()
    return this.describe()
  }

  /** The mid of the section that sends a screen; empty: none. */
  get #screen() {
    const transceiver = this.slides ? this.transceiver('video') : undefined
    return transceiver?.direction.startsWith('send') ? transceiver.mid ?? 'new' : ''
  }

  /** @param {string} [sdp] of the other side; the browser keeps only what it knows of it */
  #look(sdp) {
    const slides = showsSlides(sdp)
    if (slides === this.remoteSlides) return
    this.remoteSlides = slides
    this.#wiring.arrived()
  }

  /** With what the browser does not know of it. XEP-0507, RFC 4796 @returns {RTCSessionDescriptionInit} */
  #description() {
    const { localDescription } = this.connection
    if (!localDescription) throw new BridgeError('internal', 'The browser made no description.')
    const { type, sdp } = localDescription
    const mid = this.#screen
    return { type, sdp: mid ? sdp.replace(/^a=mid:(.*?)\r?$/gm, (line, name) => (name === mid ? `${line}\na=content:slides\r` : line)) : sdp }
  }

  #negotiate() {
    return this.#queue(async () => {
      const { connection } = this
      if (connection.signalingState !== 'stable') return
      const offer = await connection.createOffer()
      const change = difference(offer.sdp, connection.currentLocalDescription?.sdp) + (this.#screen === this.#said ? '' : `screen ${this.#screen}`)
      if (change === '' || change === this.#refused) return
      await connection.setLocalDescription(offer)
      this.#asked = change
      this.#said = this.#screen
      this.#pending = this.#description()
      this.#send(this.#pending)
    })
  }

  #send(description = this.#description()) {
    this.#wiring.send('description', { description }).catch((error) => this.#takeBack(description, error))
  }

  /** It is not taken. An offer: back to what both have. @param {RTCSessionDescriptionInit} description @param {BridgeError} error */
  #takeBack(description, error) {
    return this.#queue(async () => {
      if (description.type === 'offer') {
        if (description !== this.#pending) return // an offer of the peer came first
        this.#pending = null
        this.#refused = this.#asked
        await this.connection.setLocalDescription({ type: 'rollback' })
        for (const transceiver of this.connection.getTransceivers()) this.#undo(transceiver)
        if (this.#asked.startsWith('screen')) return // it sees the screen, but not as one
      }
      this.#wiring.refused(error, description.type)
    })
  }

  /** @param {RTCRtpTransceiver} transceiver */
  #undo(transceiver) {
    const direction = this.#agreed.get(transceiver)
    if (transceiver.direction === 'stopped' || direction === 'stopped') return
    if (direction === undefined) transceiver.stop()
    else if (transceiver.direction !== direction) transceiver.direction = direction
  }

  /** Remembers what is in force now. @param {boolean} partly changes of ours are still to be negotiated */
  #agree(partly) {
    for (const transceiver of this.connection.getTransceivers()) {
      if (transceiver.mid !== null && !(partly && this.#agreed.has(transceiver))) this.#agreed.set(transceiver, transceiver.direction)
    }
  }

  /** A section that is no more takes its track out of the remote stream. */
  #forgetStopped() {
    const tracks = this.remoteStream?.getTracks() ?? []
    const live = tracks.filter((track) => track.readyState === 'live')
    if (live.length === tracks.length) return
    this.remoteStream = new MediaStream(live)
    this.#wiring.arrived()
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #add(candidate) {
    try {
      await this.connection.addIceCandidate(candidate ?? undefined)
    } catch {
      // A candidate that the browser cannot use is one candidate less, no more.
    }
  }

  /** @param {() => Promise<void>} step */
  #queue(step) {
    const run = this.#tail.then(() => {
      if (this.connection.connectionState !== 'closed') return step()
    })
    this.#tail = run.catch(() => {})
    return run
  }
}

/** @param {boolean} sends @param {boolean} held @returns {RTCRtpTransceiverDirection} */
const way = (sends, held) => (held ? (sends ? 'sendonly' : 'inactive') : (sends ? 'sendrecv' : 'recvonly'))
