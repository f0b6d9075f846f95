/**
 * The WebSocket of one session: who we are, requests and their answers, events in order, resume after a loss.
 *
 * How it holds together:
 *
 * - A request stays in `#pending` until its `ack` or `error`. What is pending when a socket opens is sent (again) with
 *   the same id; the bridge remembers ids and repeats the answer. So a caller of `request()` need not know of losses.
 * - Ids carry a random prefix per page load: the session outlives a reload, and an old id would get an old answer.
 * - Every event carries `seq`. One that was seen already is dropped; the last one seen goes out with `ping` and `hello`.
 * - `hello` says who we are by the resume secret first, by token, code or device when there is none or it is refused.
 * - One socket at a time: handlers of an abandoned socket find that `#socket` is another one and do nothing.
 *
 * Spec: DESIGN §3, `jinglebridge/web/messages.py`.
 * @module
 */

import { BridgeError, emit, randomId, realClock, Timers } from './base.js'

const SUBPROTOCOL = 'jinglebridge.v1'
const VERSION = 1
const HELLO_TIMEOUT = 10_000 // ms from opening a socket to `welcome`
const PONG_TIMEOUT = 5_000 // ms
const CONFIRM_EVERY = 16 // events
const FIRST_BACKOFF = 500 // ms
const REVOKED = 4002 // close code: the device or link by which we came in is no way in any more
const LAST_BACKOFF = 10_000 // ms
/** Answers to `hello` that trying again with the same credentials cannot change. */
const FINAL = new Set(['bad-version', 'not-authorized', 'token-expired', 'forbidden'])

/** @typedef {{type: string, id: string, call?: string, [key: string]: any}} Request */
/** @typedef {{frame: Request, resolve: (reply: any) => void, reject: (error: BridgeError) => void, sent: boolean}} Pending */
/**
 * Who this is. `token` may be a function that fetches a fresh one whenever it is needed.
 * @typedef {object} Identity
 * @property {string | (() => string | Promise<string>)} [token]
 * @property {string} [code]
 * @property {string} [device]
 * @property {{secret: string, lastSeq: number} | null} [resume]
 */

/** Events: `welcome` (frame), `event` (frame), `connection` ({state, error?, retryIn?}). */
export class Signalling extends EventTarget {
  /** @type {'connecting' | 'online' | 'reconnecting' | 'offline'} */
  state = 'connecting'
  /** @type {any} */
  limits = null

  #url
  #identity
  #about
  /** @type {WebSocket | null} */
  #socket = null
  /** @type {Map<string, Pending>} */
  #pending = new Map()
  #secret
  #lastSeq
  #confirmedSeq = 0
  #hello = { id: '', resuming: false }
  #prefix = randomId().slice(0, 12)
  #count = 0
  #attempt = 0 // failed ones in a row
  #round = 0 // grows with each attempt, so that a late token finds out that it is late
  #tokenRefused = false
  #random
  #timers
  #wake = () => this.#woken()
  /** @type {{resolve: (welcome: any) => void, reject: (error: BridgeError) => void} | null} */
  #opening = null

  /**
   * @param {string} url of the WebSocket
   * @param {Identity} identity
   * @param {object} [about] further fields of `hello`
   * @param {typeof realClock} [clock] another one in tests
   */
  constructor(url, identity, about = {}, clock = realClock) {
    super()
    this.#url = url
    this.#identity = identity
    this.#about = about
    this.#random = clock.random
    this.#timers = new Timers(clock)
    this.#secret = identity.resume?.secret ?? null
    this.#lastSeq = identity.resume?.lastSeq ?? 0
  }

  /** What another page load needs to continue this session; null before the first welcome. */
  get resume() {
    return this.#secret === null ? null : { secret: this.#secret, lastSeq: this.#lastSeq }
  }

  /**
   * Connects and goes on trying until there is an answer.
   * @returns {Promise<any>} the first `welcome`
   */
  open() {
    globalThis.addEventListener?.('online', this.#wake)
    globalThis.document?.addEventListener('visibilitychange', this.#wake)
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      this.#connect()
    })
  }

  /**
   * Sends a request, now or as soon as there is a connection.
   * @param {string} type
   * @param {object} [fields]
   * @param {{urgent?: boolean}} [options] urgent: worthless later, so it is refused while there is no connection
   * @returns {Promise<any>} the answer (of `ice`, `history`: that event); rejects with a BridgeError
   */
  request(type, fields = {}, { urgent = false } = {}) {
    if (this.state === 'offline') return Promise.reject(new BridgeError('closed', 'This session has ended.'))
    if (urgent && this.state !== 'online') return Promise.reject(new BridgeError('offline', 'There is no connection to the bridge.'))
    const frame = { type, id: `${this.#prefix}-${++this.#count}`, ...fields }
    return new Promise((resolve, reject) => {
      const entry = { frame, resolve, reject, sent: false }
      this.#pending.set(frame.id, entry)
      if (this.state === 'online') this.#send(entry)
    })
  }

  /**
   * Drops the requests of a call that have not left yet.
   * @param {string} call
   * @returns {boolean} whether `type: "call"` was among them, so that the bridge knows nothing of this call
   */
  forget(call) {
    let unknown = false
    for (const [id, { frame, sent, reject }] of this.#pending) {
      if (frame.call !== call || sent) continue
      this.#pending.delete(id)
      unknown ||= frame.type === 'call'
      reject(new BridgeError('closed', 'The call has ended.'))
    }
    return unknown
  }

  /**
   * @param {string} type
   * @param {string} call
   * @returns {boolean} whether such a request waits for its answer
   */
  awaits(type, call) {
    return [...this.#pending.values()].some(({ frame }) => frame.type === type && frame.call === call)
  }

  /** Something says that the network may be another one: is the socket still good? */
  check() {
    this.#woken()
  }

  /** Ends the session for good. */
  close() {
    if (this.state === 'online') this.#write({ type: 'bye', id: `${this.#prefix}-${++this.#count}` })
    this.#fail(new BridgeError('closed', 'This session has ended.'), true)
  }

  // --- connecting -------------------------------------------------------------------------------------------------

  async #connect() {
    const round = ++this.#round
    this.#timers.clear()
    let fields
    try {
      fields = await this.#credentials()
    } catch (error) {
      if (round !== this.#round || this.state === 'offline') return
      // A token function made with fetch() throws TypeError when the network is down: that passes.
      if (error instanceof TypeError) this.#retry(new BridgeError('offline', 'No token could be fetched.', { cause: error }))
      else this.#fail(error instanceof BridgeError ? error : new BridgeError('not-authorized', 'The token function failed.', { cause: error }))
      return
    }
    if (round !== this.#round || this.state === 'offline') return
    try {
      this.#openSocket(fields)
    } catch (error) {
      this.#fail(new BridgeError('bad-url', `No WebSocket can be opened to ${this.#url}.`, { cause: error }))
    }
  }

  async #credentials() {
    const { token, code, device } = this.#identity
    if (this.#secret !== null) return { resume: { secret: this.#secret, lastSeq: this.#lastSeq } }
    if (token !== undefined) return { token: typeof token === 'function' ? await token() : token }
    if (device !== undefined) return { device }
    if (code !== undefined) return { code }
    throw new BridgeError('not-authorized', 'Nothing says who this is: no token, code, device or earlier session.')
  }

  /** @param {object} fields */
  #openSocket(fields) {
    const socket = new WebSocket(this.#url, [SUBPROTOCOL])
    this.#socket = socket
    this.#hello = { id: `${this.#prefix}-${++this.#count}`, resuming: 'resume' in fields }
    const hello = { type: 'hello', id: this.#hello.id, version: VERSION, ...this.#about, ...fields }
    socket.onopen = () => this.#socket === socket && socket.send(JSON.stringify(hello))
    socket.onmessage = ({ data }) => this.#socket === socket && this.#received(data)
    socket.onclose = ({ code }) => this.#socket === socket && (code === REVOKED ? this.#fail(new BridgeError('not-authorized', 'This way in was revoked.')) : this.#retry())
    this.#timers.set('hello', HELLO_TIMEOUT, () => this.#retry())
  }

  /** @param {BridgeError} [error] */
  #retry(error) {
    this.#dropSocket()
    const span = Math.min(LAST_BACKOFF, 2 * FIRST_BACKOFF * 2 ** this.#attempt++) - FIRST_BACKOFF
    const delay = FIRST_BACKOFF + Math.round(span * this.#random())
    this.#timers.set('retry', delay, () => this.#connect())
    this.#become(this.limits === null ? 'connecting' : 'reconnecting', { error, retryIn: delay / 1000 })
  }

  /** @param {BridgeError} error the answer to `hello` */
  #refused(error) {
    const { token, code, device } = this.#identity
    if (!FINAL.has(error.code)) return this.#retry(error)
    if (this.#hello.resuming && error.code !== 'bad-version') {
      this.#secret = null // too late to resume
      if ((token ?? code ?? device) === undefined) return this.#fail(error)
    } else if (typeof token === 'function' && !this.#tokenRefused) {
      this.#tokenRefused = true // it may have expired on the way here; a second one will not
    } else {
      return this.#fail(error)
    }
    this.#dropSocket()
    this.#connect()
  }

  /**
   * @param {BridgeError} error why this is the end
   * @param {boolean} [wanted]
   */
  #fail(error, wanted = false) {
    if (this.state === 'offline') return
    this.#dropSocket()
    this.#round++
    this.#secret = null
    globalThis.removeEventListener?.('online', this.#wake)
    globalThis.document?.removeEventListener('visibilitychange', this.#wake)
    this.#become('offline', wanted ? {} : { error })
    for (const { reject } of this.#pending.values()) reject(error)
    this.#pending.clear()
    this.#opening?.reject(error)
    this.#opening = null
  }

  /** The network is back, or the page is looked at again, perhaps after a night's sleep. */
  #woken() {
    if (globalThis.document?.visibilityState === 'hidden') return
    if (this.state === 'online') this.#ping()
    else if (this.#timers.has('retry')) this.#connect()
  }

  // --- frames -----------------------------------------------------------------------------------------------------

  /** @param {string} data */
  #received(data) {
    let frame
    try {
      frame = JSON.parse(data)
    } catch {
      return // not ours to judge; what it should have said comes again with a resume
    }
    this.#timers.cancel('pong')
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame)
      case 'ack': return this.#settle(frame)
      case 'ice':
      case 'history':
      case 'devices': return this.#settle(frame)
      case 'error': return this.#error(frame)
      case 'pong': return
      default: return this.#event(frame)
    }
  }

  /** @param {any} frame */
  #welcome(frame) {
    this.#timers.cancel('hello')
    this.#attempt = 0
    this.#tokenRefused = false
    this.#secret = frame.resume
    if (!frame.resumed) this.#lastSeq = frame.seq
    this.#confirmedSeq = this.#lastSeq
    this.limits = frame.limits
    emit(this, 'welcome', frame)
    if (this.#socket === null) return // a listener has closed us
    this.#become('online')
    for (const entry of this.#pending.values()) this.#send(entry)
    this.#timers.set('ping', frame.limits.ping * 1000, () => this.#ping())
    this.#opening?.resolve(frame)
    this.#opening = null
  }

  /** @param {any} frame */
  #settle(frame) {
    const entry = this.#pending.get(frame.id)
    this.#pending.delete(frame.id)
    entry?.resolve(frame)
  }

  /** @param {any} frame */
  #error(frame) {
    const error = new BridgeError(frame.code, frame.message, { what: frame.what })
    if (this.state !== 'online') return this.#refused(error)
    const entry = this.#pending.get(frame.id)
    this.#pending.delete(frame.id)
    entry?.reject(error)
  }

  /** @param {any} frame */
  #event(frame) {
    if (frame.seq) {
      if (frame.seq <= this.#lastSeq) return
      this.#lastSeq = frame.seq
    }
    emit(this, 'event', frame)
    if (this.#lastSeq - this.#confirmedSeq >= CONFIRM_EVERY) this.#ping()
  }

  #ping() {
    this.#write({ type: 'ping', id: `${this.#prefix}-${++this.#count}`, seq: this.#lastSeq })
    this.#confirmedSeq = this.#lastSeq
    this.#timers.set('pong', PONG_TIMEOUT, () => this.#retry())
    this.#timers.set('ping', this.limits.ping * 1000, () => this.#ping())
  }

  /** @param {Pending} entry */
  #send(entry) {
    const text = JSON.stringify(entry.frame)
    if (new TextEncoder().encode(text).length > this.limits.frame) {
      this.#pending.delete(entry.frame.id)
      entry.reject(new BridgeError('too-big', 'This request is over the limit of the bridge.'))
      return
    }
    entry.sent = true
    this.#socket?.send(text)
  }

  /** @param {object} frame that needs no answer */
  #write(frame) {
    this.#socket?.send(JSON.stringify(frame))
  }

  // --- small things -----------------------------------------------------------------------------------------------

  /**
   * @param {'connecting' | 'online' | 'reconnecting' | 'offline'} state
   * @param {object} [more]
   */
  #become(state, more = {}) {
    this.state = state
    emit(this, 'connection', { state, ...more })
  }

  #dropSocket() {
    const socket = this.#socket
    this.#socket = null
    this.#timers.clear()
    socket?.close(1000)
  }
}
