/** Stand-ins for what a browser has and node lacks, driven by hand. */

import { webcrypto } from 'node:crypto'

globalThis.crypto ??= webcrypto // node 18 has it, but not under this name

export class FakeSocket {
  /** @type {FakeSocket[]} */
  static all = []
  static get last() { return FakeSocket.all.at(-1) }

  constructor(url, protocols) {
    if (!/^wss?:/.test(url)) throw new SyntaxError('not a WebSocket URL')
    Object.assign(this, { url, protocols, sent: [], closed: false })
    FakeSocket.all.push(this)
  }

  send(text) { this.sent.push(JSON.parse(text)) }
  close() { this.closed = true }
  open() { this.onopen?.() }
  say(frame) { this.onmessage?.({ data: JSON.stringify(frame) }) }
  /** What a network that breaks looks like. */
  cut() { this.onclose?.({ code: 1006 }) }

  get hello() { return this.sent.find(({ type }) => type === 'hello') }
  of(type) { return this.sent.filter((frame) => frame.type === type) }

  welcome(fields = {}) {
    this.open()
    this.say({
      type: 'welcome', jid: 'a@b/c', name: 'A', contacts: [], features: [], resume: `secret-${FakeSocket.all.length}`,
      limits: { frame: 98304, calls: 8, resume: 120, ping: 10 }, resumed: false, calls: [], seq: 0, warnings: [], ...fields,
    })
  }
}

export class FakeClock {
  now = 0
  timers = new Map()
  next = 1
  random = () => 1
  setTimeout = (run, ms) => {
    this.timers.set(this.next, { run, at: this.now + ms })
    return this.next++
  }

  clearTimeout = (id) => { this.timers.delete(id) }

  /** Runs what falls due within `ms`, in order. */
  async pass(ms) {
    const end = this.now + ms
    for (;;) {
      const due = [...this.timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (!due) break
      this.timers.delete(due[0])
      this.now = due[1].at
      due[1].run()
      await settle()
    }
    this.now = end
  }
}

export class FakeTrack extends EventTarget {
  constructor(kind) {
    super()
    Object.assign(this, { kind, enabled: true, readyState: 'live', muted: false })
  }

  stop() { this.readyState = 'ended' }
  /** What an unplugged device looks like. */
  unplug() {
    this.stop()
    this.dispatchEvent(new Event('ended'))
  }
}

export class FakeStream {
  constructor(tracks = []) { this.tracks = tracks }
  getTracks() { return [...this.tracks] }
  getAudioTracks() { return this.tracks.filter(({ kind }) => kind === 'audio') }
  getVideoTracks() { return this.tracks.filter(({ kind }) => kind === 'video') }
  addTrack(track) { this.tracks.push(track) }
  removeTrack(track) { this.tracks = this.tracks.filter((other) => other !== track) }
}

let mids = 0
class FakeTransceiver {
  mid = null
  currentDirection = null
  constructor(kind, track, direction) {
    this.direction = direction
    const dtmf = kind === 'audio' ? { canInsertDTMF: false, toneBuffer: '', insertDTMF(tones) { this.toneBuffer = tones } } : null
    this.sender = { track, dtmf, replaceTrack: async (next) => { this.sender.track = next }, setStreams() {} }
    this.receiver = { track: new FakeTrack(kind) }
  }

  stop() {
    this.direction = 'stopped'
    this.receiver.track.stop()
  }
}

/** `audio sendrecv` and so on, a line for each section. @param {string} sdp */
export const sketch = (sdp) => [...sdp.matchAll(/^m=(\w+) .*\na=(\w+)/gm)].map(([, kind, direction]) => `${kind} ${direction}`).join('\n')

/** Knows signalling states; its SDP is the list of its sections, what it is given is a list of kinds. */
export class FakePeerConnection {
  /** @type {FakePeerConnection[]} */
  static all = []
  signalingState = 'stable'
  connectionState = 'new'
  localDescription = null
  currentLocalDescription = null
  remoteDescription = null
  candidates = []
  transceivers = []
  ufrag = 'u0'
  stopping = null // the transceiver that the next remote description stops
  offered = []

  constructor(config) {
    this.config = config
    FakePeerConnection.all.push(this)
  }

  addTransceiver(what, { direction }) {
    const track = typeof what === 'string' ? null : what
    const transceiver = new FakeTransceiver(track?.kind ?? what, track, direction)
    this.transceivers.push(transceiver)
    return transceiver
  }

  addTrack(track) { return this.addTransceiver(track, { direction: 'sendrecv' }).sender }
  getTransceivers() { return this.transceivers }
  restartIce() { this.ufrag = `${this.ufrag}x` }

  describe() {
    return this.transceivers.filter(({ mid, direction }) => mid !== null || direction !== 'stopped').map(({ receiver, direction, mid }) => (
      `m=${receiver.track.kind} ${direction === 'stopped' ? 0 : 9} x\na=${direction === 'stopped' ? 'inactive' : direction}\na=ice-ufrag:${this.ufrag}\na=mid:${mid}`
    )).join('\n')
  }

  async createOffer() { return { type: 'offer', sdp: this.describe() } }

  async setLocalDescription(description) {
    if (description?.type === 'rollback') return this.rollback()
    const type = this.signalingState === 'have-remote-offer' ? 'answer' : 'offer'
    this.offered = type === 'offer' ? this.transceivers.filter(({ mid }) => mid === null) : []
    for (const transceiver of this.transceivers) transceiver.mid ??= String(mids++)
    this.localDescription = { type, sdp: this.describe() }
    this.signalingState = type === 'offer' ? 'have-local-offer' : 'stable'
    if (type === 'answer') this.currentLocalDescription = this.localDescription
  }

  rollback() {
    for (const transceiver of this.offered) transceiver.mid = null
    this.signalingState = 'stable'
  }

  async setRemoteDescription(description) {
    if (description.sdp === 'bad') throw new TypeError('bad SDP')
    if (description.type === 'offer' && this.signalingState === 'have-local-offer') this.rollback()
    this.stopping?.stop()
    if (description.type === 'answer') this.currentLocalDescription = this.localDescription
    this.remoteDescription = description
    this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable'
    if (description.type === 'offer') {
      const here = this.transceivers.filter(({ mid }) => mid !== null).length
      for (const kind of description.sdp.split(' ').slice(here)) {
        const transceiver = new FakeTransceiver(kind, null, 'recvonly')
        transceiver.mid = String(mids++)
        this.transceivers.push(transceiver)
      }
    }
    this.hear()
  }

  hear() {
    for (const { receiver } of this.transceivers.filter((transceiver) => !transceiver.heard)) this.ontrack?.({ track: receiver.track })
    for (const transceiver of this.transceivers) transceiver.heard = true
  }

  async addIceCandidate(candidate) { this.candidates.push(candidate) }
  async getStats() { return new Map() }
  close() { this.connectionState = 'closed' }
  become(state) {
    this.connectionState = state
    this.onconnectionstatechange?.()
  }
}

/** The bridge's streams: without `up` no request gets an answer, as when there is no network. */
export class FakeStreams {
  /** @type {FakeStreams[]} */
  static all = []
  static up = false
  static get last() { return FakeStreams.all.at(-1) }

  posts = [] // one array of frames each
  sent = [] // all frames
  closed = false
  answer = null // instead of key and ticket
  hold = null // a promise that POSTs wait for

  static async fetch(url, { method = 'GET', body, headers, signal, keepalive, credentials }) {
    if (!FakeStreams.up) throw new TypeError('fetch failed')
    if (url.endsWith('/frames')) return FakeStreams.all.find(({ key }) => headers.Authorization === `Bearer ${key}`)?.take(body, keepalive) ?? { ok: false, status: 401 }
    if (method === 'POST') return new FakeStreams(url, body, credentials).begun
    return FakeStreams.all.find(({ ticket }) => headers.Authorization === `Bearer ${ticket}`).stream(signal)
  }

  constructor(url, hello, credentials) {
    const n = FakeStreams.all.push(this)
    Object.assign(this, { url, credentials, hello: JSON.parse(hello), key: `key-${n}`, ticket: `ticket-${n}` })
    this.sent.push(this.hello)
  }

  get begun() {
    const text = JSON.stringify(FakeStreams.refusal ?? { key: this.key, ticket: this.ticket, expires: 10 })
    return { ok: true, status: 200, text: async () => text }
  }

  async take(body, keepalive) {
    const frames = body.split('\n').map((line) => line && JSON.parse(line))
    this.posts.push(frames)
    this.keepalive = keepalive
    this.sent.push(...frames)
    await this.hold
    return { ok: !this.closed, status: this.closed ? 401 : 204 }
  }

  stream(signal) {
    const body = new ReadableStream({ start: (controller) => { this.controller = controller } })
    signal.addEventListener('abort', () => {
      if (!this.closed) this.controller.error(new Error('aborted'))
      this.closed = true
    })
    return { ok: true, status: 200, body }
  }

  write(text) { this.controller.enqueue(new TextEncoder().encode(text)) }
  say(frame) { this.write(`data: ${JSON.stringify(frame)}\n\n`) }
  welcome(fields) { FakeSocket.prototype.welcome.call({ open() {}, say: (frame) => this.say(frame) }, fields) }
  cut() {
    this.closed = true
    this.controller.close()
  }

  of(type) { return this.sent.filter((frame) => frame.type === type) }
}

/** Lets all promises that can settle do so. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))

/** What getUserMedia and getDisplayMedia give; an Error is thrown. @type {{audio: any, video: any, screen: any}} */
export const devices = { audio: null, video: null, screen: null }

/** Where the modules listen for what a window tells, `online` for example. */
export let page = new EventTarget()

/** Puts the fakes where a browser has the real ones. */
export function install() {
  FakeSocket.all = []
  FakeStreams.all = []
  Object.assign(FakeStreams, { up: false, refusal: null })
  FakePeerConnection.all = []
  Object.assign(devices, { audio: null, video: null, screen: null })
  const getUserMedia = async (wanted) => {
    for (const kind of ['audio', 'video']) if (wanted[kind] && devices[kind]) throw devices[kind]
    return new FakeStream(['audio', 'video'].filter((kind) => wanted[kind]).map((kind) => Object.assign(new FakeTrack(kind), { wanted: wanted[kind] })))
  }
  const getDisplayMedia = async () => {
    if (devices.screen) throw devices.screen
    return new FakeStream([new FakeTrack('video')])
  }
  page = new EventTarget()
  globalThis.addEventListener = (type, run) => page.addEventListener(type, run)
  globalThis.removeEventListener = (type, run) => page.removeEventListener(type, run)
  Object.assign(globalThis, { WebSocket: FakeSocket, RTCPeerConnection: FakePeerConnection, MediaStream: FakeStream, fetch: FakeStreams.fetch })
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: { getUserMedia, getDisplayMedia } }, configurable: true })
}

/** @param {string} name of a DOMException */
export const refusal = (name) => Object.assign(new Error(name), { name })
