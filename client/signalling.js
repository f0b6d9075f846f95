/**
 * The connection of one session: who we are, requests and their answers, events in order, resume after a loss.
 *
 * - A request stays in `#pending` until its answer, and is sent again with the same id on the next socket; the bridge
 *   repeats the answer. So a caller of `request()` need not know of losses.
 * - Ids carry a random prefix per page load: the session outlives a reload, and an old id would get an old answer.
 * - Events carry `seq`. One that was seen is dropped; the last one seen goes out with `ping` and `hello`.
 * - One socket at a time: handlers of an abandoned one find that `#socket` is another and do nothing.
 * - A WebSocket that does not open, or brings no `welcome`, is followed by a stream. What worked is tried first, until
 *   the network may be another one.
 *
 * Spec: docs/reference/json-protocol.md.
 * @module
 */

import { BridgeError, emit, randomId, realClock, Timers } from './base.js'
import { StreamSocket } from './stream.js'

const SUBPROTOCOL = 'jinglebridge.v1'
const VERSION = 1
const OPEN_TIMEOUT = 4_000 // ms for a WebSocket to open
const HELLO_TIMEOUT = 10_000 // ms from opening a socket to `welcome`
const PONG_TIMEOUT = 5_000 // ms
const CONFIRM_EVERY = 16 // events
const FIRST_BACKOFF = 500 // ms
const REVOKED = 4002 // close code: the device or link by which we came in is no way in any more
const LAST_BACKOFF = 10_000 // ms
const SEEN_BACKOFF = 2_500 // ms, of a page that somebody looks at; the bridge waits 3.5 s after a restart until it shows a page as gone
/** Answers to `hello` that trying again with the same credentials cannot change. */
const FINAL = new Set(['not-authorized', 'token-expired', 'forbidden'])

/** @typedef {{frame: any, resolve: (reply: any) => void, reject: (error: BridgeError) => void, sent: boolean}} Pending */
/** @typedef {Pick<import('./index.js').Options, 'token' | 'code' | 'device' | 'transport' | 'resume'>} Identity */

/** Events: `welcome` (frame), `event` (frame), `connection` ({state, error?, retryIn?}). */
export class Signalling extends EventTarget {
  /** @type {import('./index.js').ConnectionState} */
  state = 'connecting'
  /** @type {any} */
  limits = null

  #url
  #identity
  #about
  /** @type {import('./index.js').Transport | null} */
  #socket = null
  #streams = false // a stream is tried first
  /** @type {Map<string, Pending>} */
  #pending = new Map()
  #secret
  #lastSeq
  #confirmedSeq = 0
  #hello = { id: '', resuming: false }
  #prefix = randomId().slice(0, 12)
  #count = 0
  #attempt = 0 // failed ones in a row
  #round = 0 // of attempts, so that a late token finds out that it is late
  #tokenRefused = false
  #random
  #timers
  #wake = (/** @type {Event} */ { type }) => this.#woken(type === 'online')
  /** @type {Pick<Pending, 'resolve' | 'reject'> | null} */
  #opening = null

  /** @param {string} url @param {Identity} identity @param {object} [about] further fields of `hello` */
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

  get resume() {
    return this.#secret === null ? null : { secret: this.#secret, lastSeq: this.#lastSeq }
  }

  /** Goes on trying until there is an answer. @returns {Promise<any>} the first `welcome` */
  open() {
    globalThis.addEventListener?.('online', this.#wake)
    globalThis.document?.addEventListener('visibilitychange', this.#wake)
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      this.#connect()
    })
  }

  /**
   * Now, or as soon as there is a connection; `urgent`: worthless later, so it is refused while there is none.
   * @param {string} type @param {object} [fields] @param {{urgent?: boolean}} [options]
   * @returns {Promise<any>} the answer
   */
  request(type, fields = {}, { urgent = false } = {}) {
    if (this.state === 'offline') return Promise.reject(new BridgeError('closed', 'This session has ended.'))
    if (urgent && this.state !== 'online') return Promise.reject(new BridgeError('offline', 'There is no connection to the bridge.'))
    const frame = { type, id: this.#id(), ...fields }
    return new Promise((resolve, reject) => {
      const entry = { frame, resolve, reject, sent: false }
      this.#pending.set(frame.id, entry)
      if (this.state === 'online') this.#send(entry)
    })
  }

  /**
   * Drops the requests of a call that have not left yet. True: `call` was among them, so the bridge knows nothing of this call.
   * @param {string} call
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

  /** Does such a request wait for its answer? @param {string} type @param {string} call */
  awaits(type, call) {
    return [...this.#pending.values()].some(({ frame }) => frame.type === type && frame.call === call)
  }

  /** Something says that the network may be another one: is the socket still good? */
  check() {
    if (this.state === 'online') this.#ping()
    else this.#woken(false)
  }

  /** Ends the session for good. */
  close() {
    if (this.state === 'online') this.#write({ type: 'bye', id: this.#id() })
    this.#fail(new BridgeError('closed', 'This session has ended.'), true)
  }

  // --- connecting

  async #connect() {
    const round = ++this.#round
    this.#dropSocket()
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
      this.#fail(new BridgeError('bad-url', `This is no address of a bridge: ${this.#url}`, { cause: error }))
    }
  }

  async #credentials() {
    const { token, code, device, transport } = this.#identity
    if (this.#secret !== null) return { resume: { secret: this.#secret, lastSeq: this.#lastSeq } }
    if (token !== undefined) return { token: typeof token === 'function' ? await token() : token }
    if (device !== undefined) return { device }
    if (code !== undefined) return { code }
    if (transport !== undefined) return {}
    throw new BridgeError('not-authorized', 'Nothing says who this is: no token, code, device or earlier session.')
  }

  /** @param {object} fields */
  #openSocket(fields, stream = this.#streams) {
    const own = this.#identity.transport?.()
    /** @type {any} */
    let socket = own
    try {
      socket ??= stream ? new StreamSocket(this.#url) : new WebSocket(this.#url, [SUBPROTOCOL])
    } catch (error) { // a browser without, or a page that may not
      if (stream) throw error
      this.#openSocket(fields, true)
      return
    }
    this.#dropSocket()
    this.#socket = socket
    this.#hello = { id: this.#id(), resuming: 'resume' in fields }
    const hello = { type: 'hello', id: this.#hello.id, version: VERSION, ...this.#about, ...fields }
    let opened = stream || Boolean(own)
    socket.onopen = () => {
      if (this.#socket !== socket) return
      opened = true
      this.#timers.cancel('open')
      socket.send(JSON.stringify(hello))
    }
    socket.onmessage = (/** @type {{data: string}} */ { data }) => this.#socket === socket && this.#received(data)
    socket.onclose = (/** @type {{code: number}} */ { code }) => {
      if (this.#socket !== socket) return
      if (code === REVOKED) return this.#fail(new BridgeError('not-authorized', 'This way in was revoked.'))
      if (!opened) return this.#openSocket(fields, true)
      if (this.state !== 'online') this.#streams = false
      this.#retry()
    }
    if (!opened) this.#timers.set('open', OPEN_TIMEOUT, () => this.#openSocket(fields, true))
    this.#timers.set('hello', HELLO_TIMEOUT, () => {
      this.#streams = !stream
      this.#retry()
    })
  }

  #retry(error = new BridgeError('offline', `No connection to ${this.#identity.transport ? 'the bridge' : this.#url}.`)) {
    this.#dropSocket()
    const last = globalThis.document?.visibilityState === 'hidden' ? LAST_BACKOFF : SEEN_BACKOFF
    const span = Math.min(last, 2 * FIRST_BACKOFF * 2 ** this.#attempt++) - FIRST_BACKOFF
    const delay = FIRST_BACKOFF + Math.round(span * this.#random())
    this.#timers.set('retry', delay, () => this.#connect())
    this.#become(this.limits === null ? 'connecting' : 'reconnecting', { error, retryIn: delay / 1000 })
  }

  /** @param {BridgeError} error the answer to `hello` */
  #refused(error) {
    const { token, code, device } = this.#identity
    if (error.code === 'bad-version') return this.#fail(error)
    if (!FINAL.has(error.code)) return this.#retry(error)
    if (this.#hello.resuming) {
      this.#secret = null // too late to resume
      if ((token ?? code ?? device) === undefined) return this.#fail(error)
    } else if (typeof token === 'function' && !this.#tokenRefused) {
      this.#tokenRefused = true // it may have expired on the way here; a second one will not
    } else {
      return this.#fail(error)
    }
    this.#connect()
  }

  /** @param {BridgeError} error @param {boolean} [wanted] */
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

  /** The network is back, perhaps another one, or the page is looked at again, perhaps after a night's sleep. @param {boolean} network */
  #woken(network) {
    if (!network && globalThis.document?.visibilityState === 'hidden') return
    if (this.state === 'online') return this.#ping()
    if (!network && !this.#timers.has('retry')) return
    this.#attempt = 0
    this.#streams = false
    this.#connect()
  }

  // --- frames

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
      case 'ack':
      case 'ice':
      case 'history':
      case 'devices': return this.#answered(frame)?.resolve(frame)
      case 'error': {
        const error = new BridgeError(frame.code, frame.message, { what: frame.what })
        return this.state === 'online' ? this.#answered(frame)?.reject(error) : this.#refused(error)
      }
      case 'pong': return
      default: return this.#event(frame)
    }
  }

  /** @param {any} frame */
  #welcome(frame) {
    this.#timers.cancel('hello')
    // While the bridge was away, a WebSocket that failed says little about the network.
    this.#streams = this.#socket instanceof StreamSocket && (this.#streams || this.#attempt === 0)
    this.#attempt = 0
    this.#tokenRefused = false
    this.#secret = frame.resume
    if (!frame.resumed) this.#lastSeq = frame.seq
    this.#confirmedSeq = this.#lastSeq
    this.limits = frame.limits
    emit(this, 'welcome', frame)
    if (this.#socket === null) return // a listener has closed us
    const pending = [...this.#pending.values()]
    this.#become('online') // where listeners send more
    for (const entry of pending) this.#send(entry)
    this.#timers.set('ping', frame.limits.ping * 1000, () => this.#ping())
    this.#opening?.resolve(frame)
    this.#opening = null
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
    this.#write({ type: 'ping', id: this.#id(), seq: this.#lastSeq })
    this.#confirmedSeq = this.#lastSeq
    if (!this.#timers.has('pong')) this.#timers.set('pong', PONG_TIMEOUT, () => this.#retry())
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

  // --- small things

  #id() {
    return `${this.#prefix}-${++this.#count}`
  }

  /** The request that this answers. @param {any} frame */
  #answered({ id }) {
    const entry = this.#pending.get(id)
    this.#pending.delete(id)
    return entry
  }

  /** @param {import('./index.js').ConnectionState} state @param {object} [more] */
  #become(state, more = {}) {
    this.state = state
    emit(this, 'connection', { state, ...more })
  }

  #dropSocket() {
    const socket = this.#socket
    this.#socket = null
    this.#timers.clear()
    socket?.close()
  }
}
