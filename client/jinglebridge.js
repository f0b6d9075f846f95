/**
 * Calls between a web page and the Jingle clients of an XMPP server. How to use it: README.md beside this file; every name: index.d.ts.
 * @module
 */

import { BridgeError, emit } from './base.js'
import { Call } from './call.js'
import { Signalling } from './signalling.js'

export { BridgeError, Call }

/** @typedef {import('./index.d.ts').Options} Options */

const bare = (jid = '') => jid.split('/')[0]
const byName = new Intl.Collator().compare

/** @param {Options} options */
export async function connect(options) {
  const bridge = new Bridge(options)
  const tell = (/** @type {any} */ { detail: { error, retryIn } }) => retryIn && console.warn('jinglebridge: trying again.', error.code, error.message)
  bridge.addEventListener('connection', tell, { once: true }) // nobody else can listen yet
  await bridge.open()
  return bridge
}

/** One person at one page. */
export class Bridge extends EventTarget {
  jid = ''
  name = ''
  /** @type {string[]} */
  features = []
  /** @type {string[]} */
  warnings = []
  show = 'available'
  status = ''

  #link
  #resume
  #signal
  /** @type {Map<string, any>} */
  #contacts = new Map()
  /** @type {Map<string, Call>} */
  #calls = new Map()
  #leaving = (/** @type {PageTransitionEvent} */ event) => this.#pageHidden(event)

  /** @param {Options} options */
  constructor({ url, token, code, device, transport, name, video = true, resume = null, signal }) {
    super()
    this.#resume = resume
    this.#signal = signal
    this.#link = new Signalling(socketUrl(url), { token, code, device, transport, resume }, { video, ...name && { name } })
    this.#link.addEventListener('connection', (/** @type {any} */ { detail }) => this.#connection(detail))
    this.#link.addEventListener('welcome', (/** @type {any} */ { detail }) => this.#welcome(detail))
    this.#link.addEventListener('event', (/** @type {any} */ { detail }) => this.#event(detail))
  }

  async open() {
    this.#signal?.throwIfAborted()
    this.#signal?.addEventListener('abort', () => this.close())
    globalThis.addEventListener?.('pagehide', this.#leaving)
    await this.#link.open().catch((error) => {
      this.#signal?.throwIfAborted()
      throw error
    })
  }

  get contacts() {
    return [...this.#contacts.values()].sort((a, b) => byName(a.name, b.name))
  }

  get calls() {
    return [...this.#calls.values()]
  }

  get state() {
    return this.#link.state
  }

  get resume() {
    const secret = this.#link.resume
    const calls = this.calls.map(({ id, peer, name, direction, state, media }) => ({ call: id, with: peer, name, direction, state, media }))
    return secret && { ...secret, calls }
  }

  /** @param {string} jid @param {import('./call.js').Wanted} [wanted] */
  call(jid, wanted = {}) {
    const media = { audio: true, video: Boolean(wanted.video) }
    const call = this.#adopt({ direction: 'out', with: jid, name: this.#contacts.get(jid)?.name || jid, media })
    call.start(wanted)
    return call
  }

  /** @param {{before?: string, limit?: number}} [page] @returns {Promise<{calls: any[], more: boolean}>} */
  history(page) {
    return this.#link.request('history', page)
  }

  /** @param {string} type @param {object} [fields] @returns {Promise<any>} */
  request(type, fields) {
    return this.#link.request(type, fields)
  }

  /** @param {string} jid @param {string} [name] */
  addContact(jid, name = '') {
    return this.request('contacts.add', { jid, name })
  }

  /** @param {string} jid */
  removeContact(jid) {
    return this.request('contacts.remove', { jid })
  }

  /** @param {string} jid */
  approveContact(jid) {
    return this.request('contacts.approve', { jid })
  }

  /** @param {string} jid */
  denyContact(jid) {
    return this.request('contacts.deny', { jid })
  }

  /** @param {string} jid */
  blockContact(jid) {
    return this.request('contacts.block', { jid })
  }

  /** @param {string} jid */
  unblockContact(jid) {
    return this.request('contacts.unblock', { jid })
  }

  /** @param {'available' | 'away' | 'dnd'} show @param {string} [status] */
  async setPresence(show, status = '') {
    await this.request('presence', { show, status })
    Object.assign(this, { show, status })
  }

  /** @param {Blob | null} picture */
  async setAvatar(picture) {
    if (!picture) return this.request('avatar', { data: '' })
    const bytes = new Uint8Array(await picture.arrayBuffer())
    return this.request('avatar', { media: picture.type, data: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')) })
  }

  close() {
    for (const call of this.calls) call.hangUp()
    globalThis.removeEventListener?.('pagehide', this.#leaving)
    this.#link.close()
  }

  // --- what the bridge says

  /** @param {any} welcome */
  #welcome(welcome) {
    this.jid = welcome.jid
    this.name = welcome.name
    this.features = welcome.features
    this.warnings = welcome.warnings ?? []
    this.show = welcome.show ?? 'available'
    this.status = welcome.status ?? ''
    this.#contacts = new Map(welcome.contacts.map((/** @type {any} */ contact) => [contact.jid, contact]))
    for (const { call, reason, text } of welcome.ended ?? []) this.#calls.get(call)?.finish(reason, text)
    if (!welcome.resumed) this.#replaceCalls(welcome.calls)
    this.#afterReload(welcome.resumed)
    emit(this, 'contacts', this.contacts)
  }

  /** Events were lost: the calls that the bridge names are those that there are. @param {any[]} snapshots */
  #replaceCalls(snapshots) {
    const named = new Set(snapshots.map(({ call }) => call))
    for (const call of this.calls) {
      if (!named.has(call.id) && call.state !== 'preparing' && !this.#link.awaits('call', call.id)) call.finish('gone')
    }
    for (const snapshot of snapshots) this.#takeOver(snapshot)
  }

  /** The calls of the page before the reload: one that rings goes on, no other can. @param {boolean} resumed */
  #afterReload(resumed) {
    const before = this.#resume?.calls ?? []
    this.#resume = null
    for (const snapshot of before) {
      if (snapshot.state !== 'incoming') emit(this, 'interrupted', snapshot)
      if (resumed) this.#takeOver(snapshot)
    }
  }

  /** @param {any} snapshot */
  #takeOver(snapshot) {
    const { call: id, state } = snapshot
    const known = this.#calls.get(id)
    if (known) known.restore(snapshot)
    else if (state === 'incoming') emit(this, 'incoming', this.#adopt(snapshot))
    else if (!this.#link.awaits('hangup', id)) this.#link.request('hangup', { call: id, reason: 'gone' }).catch(() => {})
  }

  /** @param {any} frame */
  #event(frame) {
    switch (frame.type) {
      case 'contact': return this.#contact(frame)
      case 'contacts':
        for (const contact of frame.contacts) this.#contacts.set(contact.jid, contact)
        return emit(this, 'contacts', this.contacts)
      case 'presence': return this.#presence(frame)
      case 'incoming': return this.#incoming(frame)
      case 'missed': return emit(this, 'missed', { from: frame.from, name: frame.name, media: frame.media, at: frame.at })
      case 'draining': return emit(this, 'draining')
      default: return this.#ofCall(frame)
    }
  }

  /** @param {any} frame */
  #presence({ show, status }) {
    Object.assign(this, { show, status })
    emit(this, 'presence', { show, status })
  }

  /** @param {any} frame */
  #ofCall(frame) {
    const call = this.#calls.get(frame.call)
    // Our call met one of theirs that rings here already: the person wants to talk to them, and need not answer it. J-067
    const theirs = frame.reason === 'moved' && this.calls.find(({ state, peer }) => state === 'incoming' && bare(peer) === bare(call?.peer))
    if (theirs && call?.followed && call.localStream) theirs.goOn(call)
    else call?.receive(frame)
  }

  /** @param {any} frame */
  #contact({ contact, removed }) {
    if (removed) this.#contacts.delete(contact.jid)
    else this.#contacts.set(contact.jid, contact)
    emit(this, 'contact', { ...contact, removed: Boolean(removed) })
    emit(this, 'contacts', this.contacts)
  }

  /** @param {any} frame */
  #incoming({ call: id, from, name, media, abilities, replaces }) {
    if (this.#calls.has(id)) return
    const before = this.#calls.get(replaces)
    const call = this.#adopt({ call: id, direction: 'in', with: from, name, media })
    call.abilities = abilities
    if (before?.localStream && before.followed) call.goOn(before)
    else emit(this, 'incoming', call)
  }

  /** @param {ConstructorParameters<typeof Call>[1]} about */
  #adopt(about) {
    const call = new Call(this.#link, about)
    this.#calls.set(call.id, call)
    call.addEventListener('ended', () => this.#calls.delete(call.id))
    return call
  }

  /** @param {{state: string, error?: BridgeError}} detail */
  #connection(detail) {
    if (detail.state === 'offline') for (const call of this.calls) call.finish('gone', detail.error?.message, detail.error)
    emit(this, 'connection', detail)
  }

  /** The peer connections end with the page: better said at once than found out by the other side. @param {PageTransitionEvent} event */
  #pageHidden({ persisted }) {
    if (persisted) return
    for (const call of this.calls) if (call.state !== 'incoming') call.leave('gone', { said: 'gone' })
  }
}

/** @param {string | URL} [url] of the socket or of the site; http means ws */
export function socketUrl(url = new URL('../ws', import.meta.url)) {
  const absolute = new URL(url, globalThis.document?.baseURI)
  absolute.protocol = absolute.protocol.replace('http', 'ws')
  if (absolute.pathname === '/') absolute.pathname = '/ws'
  absolute.hash = ''
  return absolute.href
}
