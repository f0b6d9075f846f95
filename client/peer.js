/**
 * One RTCPeerConnection: perfect negotiation with the bridge, of which this is the polite side.
 *
 * Being polite, it takes every offer: setRemoteDescription rolls an own pending offer back. What arrives is applied one
 * after the other, in the order of arrival; candidates wait for the first remote description.
 *
 * Spec: W3C WebRTC §10.7 (perfect negotiation); J-089, J-192, J-258.
 * @module
 */

import { BridgeError } from './base.js'

/** @typedef {'audio' | 'video'} Kind */
/**
 * @typedef {object} Wiring
 * @property {(type: 'description' | 'candidate', fields: object) => Promise<any>} send
 * @property {(state: RTCPeerConnectionState) => void} changed
 * @property {() => void} arrived remoteStream is another one
 * @property {(error: BridgeError, what: RTCSdpType) => void} refused our offer or answer was not taken
 */

export class Peer {
  /** @type {RTCPeerConnection} */
  connection
  /**
   * What the other side sends, as one stream whatever its SDP says of streams; null before the first track. Each track
   * makes a new stream: a media element of Chromium that was given an empty one stays silent when tracks are added.
   * @type {MediaStream | null}
   */
  remoteStream = null

  #wiring
  #local
  /** @type {(RTCIceCandidateInit | null)[]} */
  #early = []
  /** @type {Promise<any>} */
  #tail = Promise.resolve()
  /** @type {Set<RTCRtpTransceiver>} */
  #attached = new Set()
  #frozen = false // an offer was refused and cannot be taken back: make no more
  /** @type {(() => void) | null} */
  #undo = null

  /**
   * @param {{iceServers: RTCIceServer[], iceTransportPolicy: RTCIceTransportPolicy}} ice
   * @param {MediaStream} local
   * @param {Wiring} wiring
   */
  constructor(ice, local, wiring) {
    this.#wiring = wiring
    this.#local = local
    const connection = new RTCPeerConnection({
      iceServers: ice.iceServers,
      iceTransportPolicy: ice.iceTransportPolicy,
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

  /**
   * The first offer. One section per kind in `kinds`, sending where there is a local track.
   * @param {Kind[]} kinds
   * @returns {Promise<RTCSessionDescriptionInit>}
   */
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
    return plain(this.connection.localDescription)
  }

  /**
   * Applies what the peer says; answers an offer.
   * @param {RTCSessionDescriptionInit} description
   */
  receive(description) {
    return this.#queue(async () => {
      const { connection } = this
      await connection.setRemoteDescription(description)
      for (const candidate of this.#early.splice(0)) await this.#add(candidate)
      if (description.type === 'offer') {
        await this.#attach()
        await connection.setLocalDescription()
        this.#send()
      }
      connection.onnegotiationneeded = () => this.#negotiate()
    })
  }

  /** @param {RTCIceCandidateInit | null} candidate null: no more candidates */
  candidate(candidate) {
    return this.#queue(async () => {
      if (this.connection.remoteDescription) await this.#add(candidate)
      else this.#early.push(candidate)
    })
  }

  /**
   * @param {Kind} kind
   * @returns {RTCRtpTransceiver | undefined} the section of this kind that we use
   */
  transceiver(kind) {
    return [...this.#attached].find((transceiver) => transceiver.receiver.track.kind === kind && transceiver.direction !== 'stopped')
  }

  /** @param {string} mid */
  kindOf(mid) {
    return this.connection.getTransceivers().find((transceiver) => transceiver.mid === mid)?.receiver.track.kind
  }

  /**
   * Sends `track` in a section that only received until now; needs a new negotiation, which the peer may refuse.
   * @param {RTCRtpTransceiver} transceiver
   * @param {MediaStreamTrack} track
   */
  async startSending(transceiver, track) {
    await transceiver.sender.replaceTrack(track)
    this.#undo = () => { transceiver.direction = 'recvonly' }
    transceiver.direction = 'sendrecv'
  }

  /** @returns {Promise<object>} the fields of a `stats` frame */
  async stats() {
    const stats = {
      connectionState: this.connection.connectionState,
      bytesReceived: 0,
      bytesSent: 0,
      mediaReceived: 0,
      relayed: /** @type {boolean | null} */ (null),
    }
    const report = /** @type {Map<string, any>} */ (/** @type {unknown} */ (await this.connection.getStats()))
    // A pair that another has replaced stays nominated; where the transport says which one it uses, only that one tells of relays.
    const used = new Set([...report.values()].map((item) => item.selectedCandidatePairId).filter(Boolean))
    for (const [id, item] of report) {
      if (item.type === 'inbound-rtp') stats.mediaReceived += item.bytesReceived ?? 0
      if (item.type !== 'candidate-pair' || item.state !== 'succeeded' || !item.nominated) continue
      stats.bytesReceived += item.bytesReceived ?? 0
      stats.bytesSent += item.bytesSent ?? 0
      if (used.size > 0 && !used.has(id)) continue
      const ends = [report.get(item.localCandidateId), report.get(item.remoteCandidateId)]
      stats.relayed = stats.relayed || ends.some((end) => end?.candidateType === 'relay')
    }
    return stats
  }

  close() {
    this.connection.onnegotiationneeded = null
    this.connection.onicecandidate = null
    this.connection.onconnectionstatechange = null
    this.connection.ontrack = null
    this.connection.close()
  }

  /** @param {Kind} kind */
  #track(kind) {
    return this.#local.getTracks().find((track) => track.kind === kind)
  }

  /** Gives each new section of an offer our track of its kind; the first one only, the others just receive. J-089 */
  async #attach() {
    for (const transceiver of this.connection.getTransceivers()) {
      if (this.#attached.has(transceiver) || transceiver.direction === 'stopped') continue
      const kind = /** @type {Kind} */ (transceiver.receiver.track.kind)
      const track = this.transceiver(kind) ? undefined : this.#track(kind)
      this.#attached.add(transceiver)
      if (track) {
        await transceiver.sender.replaceTrack(track)
        transceiver.sender.setStreams?.(this.#local)
      }
      transceiver.direction = track ? 'sendrecv' : 'recvonly'
    }
  }

  async #negotiate() {
    if (this.#frozen) return
    const { connection } = this
    await connection.setLocalDescription()
    if (connection.signalingState !== 'have-local-offer') return // an offer of the peer came first
    this.#send()
  }

  #send() {
    const description = plain(this.connection.localDescription)
    this.#wiring.send('description', { description }).then(() => { this.#undo = null }, (error) => this.#takeBack(description, error))
  }

  /**
   * The bridge or the peer does not take our offer: back to what both have.
   * @param {RTCSessionDescriptionInit} description
   * @param {BridgeError} error
   */
  async #takeBack(description, error) {
    const { connection } = this
    if (connection.signalingState === 'have-local-offer' && connection.pendingLocalDescription?.sdp === description.sdp) {
      this.#frozen = this.#undo === null
      this.#undo?.()
      this.#undo = null
      await connection.setLocalDescription({ type: 'rollback' })
    }
    this.#wiring.refused(error, description.type)
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

/**
 * @param {RTCSessionDescription | null} description
 * @returns {RTCSessionDescriptionInit}
 */
function plain(description) {
  if (!description) throw new BridgeError('internal', 'The browser made no description.')
  return { type: description.type, sdp: description.sdp }
}
