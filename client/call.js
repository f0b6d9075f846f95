/**
 * One call, from the press of a button to the reason of its end.
 *
 * States: preparing → calling → proceeding → ringing → accepted → connecting → connected → ended for a call that we
 * make; incoming → accepting → connecting → connected → ended for one that we get. Some may be left out, none comes
 * twice, except that `reconnecting` and `connected` alternate while media is lost and found.
 *
 * The bridge says how far the other person is; how far media is, the peer connection knows better. What a page may use: index.d.ts.
 * @module
 */

import { BridgeError, emit } from './base.js'
import { Lifeline } from './lifeline.js'
import { Peer } from './peer.js'
import { Talk } from './talk.js'

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
/** @typedef {{audio?: boolean | MediaTrackConstraints, video?: boolean | MediaTrackConstraints, stream?: MediaStream, signal?: AbortSignal}} Wanted */

export class Call extends Talk {
  /** A call that went on as this one counts. @type {number | null} */
  connectedAt = null
  /** @type {string | null} */
  reason = null
  text = ''
  /** @type {BridgeError | null} */
  error = null
  /** Somebody listens to `moved`. Without that the call is never moved: there would be one that nobody sees. */
  followed = false

  /** @type {Lifeline | null} */
  #lifeline = null
  #announced = this.direction === 'in' // the bridge knows of this call
  #accepted = false // the bridge knows that we accepted

  /** @param {string} type @param {any} listener @param {any} [options] */
  addEventListener(type, listener, options) {
    this.followed ||= type === 'moved'
    super.addEventListener(type, listener, options)
  }

  // --- begin and end

  /** Never rejects: what goes wrong ends the call. @param {Wanted} wanted */
  async start({ audio = true, video = false, stream, signal }) {
    try {
      this.#obey(signal)
      const rtc = this.ended ? null : await this.#prepare({ audio, video, stream })
      if (!rtc) return
      const description = await rtc.offer(video ? ['audio', 'video'] : ['audio'])
      if (this.ended) return
      this.#announced = true
      const sent = this.link.request('call', { call: this.id, to: this.peer, description })
      this.#become('calling')
      await sent
    } catch (error) {
      this.#fail(error)
    }
  }

  /** @param {Wanted} [wanted] */
  async accept({ audio = true, video = false, stream, signal } = {}) {
    if (this.state !== 'incoming') throw new BridgeError('out-of-order', `This call is ${this.state}.`)
    signal?.throwIfAborted()
    this.#become('accepting')
    this.#obey(signal)
    try {
      if (await this.#prepare({ audio, video: video && this.media.video, stream })) {
        this.#accepted = true
        await this.link.request('accept', { call: this.id })
      }
    } catch (error) {
      if (this.#accepted) this.#fail(error)
      else this.#backToRinging()
      throw error
    }
    signal?.throwIfAborted()
  }

  /** Goes on with `before`: same microphone and camera, and nobody is asked. Never rejects. J-067, J-069 @param {Call} before */
  async goOn(before) {
    this.connectedAt = before.connectedAt
    this.#accepted = true
    this.#become('accepting')
    this.held = this.own.paused = before.held
    this.own.takeOver(before.own)
    const prepared = this.#prepare()
    emit(before, 'moved', this)
    before.finish('moved')
    try {
      if (await prepared) await this.link.request('accept', { call: this.id })
    } catch (error) {
      this.#fail(error)
    }
  }

  reject({ busy = false } = {}) {
    if (this.ended) return
    this.link.request('reject', { call: this.id, busy }).catch(() => {})
    this.finish(busy ? 'busy' : 'declined')
  }

  hangUp() {
    if (this.direction === 'in' && !this.#accepted) this.reject()
    else this.leave(this.direction === 'out' && ORDER.indexOf(this.state) < ORDER.indexOf('accepted') ? 'cancelled' : 'ended')
  }

  /**
   * @param {string} reason that the bridge does not know yet
   * @param {{said?: 'ended' | 'failed-ice' | 'failed-media' | 'gone', error?: BridgeError}} [more]
   */
  leave(reason, { said = 'ended', error } = {}) {
    if (this.ended) return
    if (this.link.forget(this.id)) this.#announced = false
    if (this.#announced) this.link.request('hangup', { call: this.id, reason: said }).catch(() => {})
    this.finish(reason, error?.message, error)
  }

  /** @param {string} reason @param {string} [text] @param {BridgeError | null} [error] */
  finish(reason, text = '', error = null) {
    if (this.ended) return
    this.#release()
    this.reason = reason
    this.text = text
    this.error = error
    this.#become('ended')
    emit(this, 'ended', { reason, text, error })
  }

  // --- what the bridge says

  /** @param {any} frame */
  receive(frame) {
    if (this.ended) return
    const { rtc } = this
    switch (frame.type) {
      case 'state':
        this.abilities = frame.abilities
        emit(this, 'abilities')
        if (frame.state !== 'connected') this.#advance(frame.state)
        break
      case 'description': this.#describe(frame.description); break
      case 'candidate': rtc?.candidate(frame.candidate).catch(() => {}); break
      case 'rollback': rtc?.rollback(frame.what); break
      case 'info': this.informed(frame); break
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
    for (const candidate of candidates) this.rtc?.candidate(candidate).catch(() => {})
    setTimeout(() => this.#lifeline?.report()) // whether media still flows is the best sign that the other side is still there
  }

  // --- inside

  /**
   * @param {Parameters<import('./media.js').OwnMedia['open']>[0]} [wanted]
   * @returns {Promise<Peer | null>} null when the call ended meanwhile
   */
  async #prepare(wanted) {
    const asked = this.link.request('ice', { to: this.peer })
    asked.catch(() => {}) // awaited below, unless the microphone fails first
    const problems = wanted ? await this.own.open(wanted) : []
    const ice = this.ended ? null : await asked
    if (!ice || this.ended) {
      this.#release()
      return null
    }
    const rtc = this.rtc = new Peer(ice, /** @type {MediaStream} */ (this.own.stream), {
      send: (type, fields) => this.link.request(type, { call: this.id, ...fields }),
      changed: (state) => this.#changed(state),
      arrived: () => this.arrived(),
      refused: (error, what) => this.#refused(error, what),
    })
    this.#lifeline = new Lifeline(this.link, this, rtc, () => this.leave('failed-ice', { said: 'failed-ice' }))
    emit(this, 'streams')
    for (const problem of problems) emit(this, 'problem', problem)
    return rtc
  }

  #release() {
    this.#lifeline?.close()
    this.rtc?.close()
    this.own.close()
  }

  #backToRinging() {
    if (this.ended) return
    this.#release()
    this.#become('incoming')
  }

  /** @param {AbortSignal} [signal] ends the call, whenever that is */
  #obey(signal) {
    const stop = () => this.hangUp()
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop)
    this.addEventListener('ended', () => signal?.removeEventListener('abort', stop))
  }

  /** @param {any} cause */
  #fail(cause) {
    const error = cause instanceof BridgeError ? cause : new BridgeError('internal', String(cause), { cause })
    const reason = DEVICE.test(error.code) ? 'failed-media' : REFUSED[error.code] ?? 'failed'
    this.leave(reason, { error, said: reason === 'failed-media' ? reason : 'ended' })
  }

  /** @param {BridgeError} error @param {RTCSdpType} what of ours was not taken */
  #refused(error, what) {
    if (what === 'answer' && !this.up) return this.#fail(error)
    this.refused()
    // Nobody asked for our restart, and the call goes on or ends without it.
    if (!this.#lifeline?.restarting) emit(this, 'problem', error)
    this.#lifeline?.heard()
  }

  /** @param {RTCSessionDescriptionInit} description */
  #describe(description) {
    const { rtc } = this
    const sending = Boolean(rtc?.transceiver('video')) // no more, if we have stopped it ourselves
    this.#lifeline?.heard()
    rtc?.receive(description).then(() => { this.agreed(sending); this.#lifeline?.agreed() }, (cause) => {
      this.#fail(new BridgeError('bad-description', 'The browser does not take what the other side sent.', { cause }))
    })
  }

  /** @param {RTCPeerConnectionState} state */
  #changed(state) {
    if (state === 'connecting' && !this.up) this.#advance('connecting')
    if ((state === 'disconnected' || state === 'failed') && this.up) this.#become('reconnecting')
    if (state === 'connected') {
      if (!this.up) this.begin()
      this.connectedAt ??= Date.now()
      this.#become('connected')
    }
    this.#lifeline?.changed(state)
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
