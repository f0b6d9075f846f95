/**
 * Does media get through? Tells the bridge what the browser counts, and restarts ICE when media is lost for some seconds, or at once
 * when the network is another one: as soon as there is a connection to the bridge, and again for as long as a session can be resumed.
 * Who called goes first: two offers that cross cost time. Where the other side cannot restart, the browser's verdict is the end.
 *
 * Spec: RFC 8445 §2.4, RFC 9429 §4.1.14; DESIGN §3.
 * @module
 */

import { realClock, Timers } from './base.js'

const STATS_EVERY = 10_000 // ms
const STATS_SOON = 1_000 // ms after the connection is there: a short call, too, tells whether it heard anything
const PATIENCE = { out: 2_000, in: 4_000 } // ms; a short loss passes by itself
const SETTLED = 500 // ms after a sign of another network: they come in bunches
const NEGOTIATED = 3_000 // ms after a restart until media should flow
const SILENCE = 1_500 // ms without media
const AGAIN = 8_000 // ms

export class Lifeline {
  restarting = false // the offer that is out is a restart of ours

  #link
  #call
  #peer
  #lost
  #up = false
  #timers
  #ufrag = ''
  #heardOf = -1 // media that had come when a restart was made for the want of it
  #moved = () => this.#up && this.#timers.set('look', SETTLED, () => { this.#link.check(); this.#look() })
  #online = () => this.#link.state === 'online' && this.#timers.has('wait') && this.#restart()

  /**
   * @param {import('./signalling.js').Signalling} link
   * @param {import('./call.js').Call} call
   * @param {import('./peer.js').Peer} peer
   * @param {() => void} lost for good
   * @param {typeof realClock} [clock] another one in tests
   */
  constructor(link, call, peer, lost, clock = realClock) {
    this.#link = link
    this.#call = call
    this.#peer = peer
    this.#lost = lost
    this.#timers = new Timers(clock)
    link.addEventListener('connection', this.#online)
    globalThis.addEventListener?.('online', this.#moved)
    connectionOf()?.addEventListener('change', this.#moved)
  }

  /** @param {RTCPeerConnectionState} state */
  changed(state) {
    this.report()
    if (state === 'connected') return this.#found()
    if (state === 'failed' && !(this.#up && this.#call.abilities.restart)) return this.#lost()
    if (!this.#up || (state !== 'failed' && state !== 'disconnected')) return
    this.#link.check() // what took the media may have taken the socket
    if (!this.#timers.has('end')) this.#timers.set('end', this.#link.limits.resume * 1000, this.#lost)
    if (!this.#timers.has('restart')) this.#timers.set('restart', PATIENCE[this.#call.direction], () => this.#restart())
  }

  /** They negotiate, which takes time. */
  heard() {
    this.restarting = false
    if (this.#timers.has('restart')) this.#timers.set('restart', AGAIN, () => this.#restart())
  }

  /** COMPAT(Firefox 153): now and then takes no pair after a restart by Chromium, and goes on to say "connected". Its own work. */
  agreed() {
    const [, ufrag = ''] = /a=ice-ufrag:(\S+)/.exec(this.#peer.connection.currentRemoteDescription?.sdp ?? '') ?? []
    if (this.#up && ufrag !== this.#ufrag) this.#timers.set('look', NEGOTIATED, () => this.#look())
    this.#ufrag = ufrag
  }

  async report() {
    if (this.#call.ended) return
    if (this.#up) this.#timers.set('stats', STATS_EVERY, () => this.report())
    try {
      const stats = await measure(this.#peer.connection)
      if (!this.#call.ended) await this.#link.request('stats', { call: this.#call.id, ...stats }, { urgent: true })
    } catch {
      // the next report comes in ten seconds
    }
  }

  close() {
    this.#timers.clear()
    this.#link.removeEventListener('connection', this.#online)
    globalThis.removeEventListener?.('online', this.#moved)
    connectionOf()?.removeEventListener('change', this.#moved)
  }

  #found() {
    for (const name of ['end', 'restart', 'wait']) this.#timers.cancel(name)
    if (!this.#up) this.#timers.set('stats', STATS_SOON, () => this.report())
    this.#up = true
  }

  /** Another way, if nothing comes by this one; not twice, for perhaps nothing is sent. */
  async #look() {
    const before = await this.#received()
    if (before === this.#heardOf || this.#call.ended) return
    this.#timers.set('look', SILENCE, async () => {
      if (await this.#received() !== before) return
      this.#heardOf = before
      this.#restart()
    })
  }

  /** Bytes of media; 0 also of a connection that is no more. */
  #received() {
    return measure(this.#peer.connection).then(({ mediaReceived }) => mediaReceived, () => 0)
  }

  #restart() {
    this.#timers.cancel('wait')
    if (!this.#call.abilities.restart || this.#call.ended) return
    if (this.#link.state !== 'online') return this.#timers.set('wait', this.#link.limits.resume * 1000, () => {})
    this.restarting = true
    this.#peer.restart().catch(() => {})
    if (this.#peer.connection.connectionState !== 'connected') this.#timers.set('restart', AGAIN, () => this.#restart())
  }
}

/** COMPAT(Firefox 153, Safari): do not say which network there is. @returns {EventTarget | undefined} */
const connectionOf = () => /** @type {any} */ (globalThis.navigator)?.connection

/** The fields of a `stats` frame. @param {RTCPeerConnection} connection */
async function measure(connection) {
  const stats = {
    connectionState: connection.connectionState,
    bytesReceived: 0,
    bytesSent: 0,
    mediaReceived: 0,
    relayed: /** @type {boolean | null} */ (null),
  }
  const report = /** @type {Map<string, any>} */ (/** @type {unknown} */ (await connection.getStats()))
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
