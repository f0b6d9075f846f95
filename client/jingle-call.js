/**
 * `<jingle-call to="alice@example.org" token-url="/call-token">`, a call button. Its types, with what they mean: jingle-call.d.ts.
 * @module
 */

import { BridgeError } from './base.js'
import { Bridge } from './jinglebridge.js'
import { buttonEnd, buttonProblem, clock, speak, t } from './words.js'

/** By GET: it changes nothing at the site. TypeError: to be tried again. @type {(url: string) => Promise<string>} */
export const fetchToken = async (url) => {
  const reply = await fetch(url, { credentials: 'include', cache: 'no-store' })
  if (reply.status >= 500) throw new TypeError(url)
  const text = (await reply.text()).trim()
  const token = text[0] === '{' ? JSON.parse(text).token : text
  if (reply.ok && /^[\w.-]+$/.test(token ?? '')) return token // no login page
  throw new BridgeError('not-authorized', `${url} gave no token (${reply.status}).`)
}

const CSS = `
:host { display: inline-flex; flex-wrap: wrap; align-items: center; gap: .5em }
[part=bar] { display: contents }
:host([hidden]), [hidden] { display: none !important }
button { font: inherit; padding: .6em 1.1em; border: 1px solid; border-radius: var(--jingle-call-radius, .5em); color: inherit; background: none }
[part~=call], [part~=answer], [part~=hang-up] { color: var(--jingle-call-text, #fff); background: var(--jingle-call-color, #0b6e4f) }
[part~=hang-up] { background: var(--jingle-call-danger, #b3261e) }
[aria-pressed=true] { box-shadow: inset 0 -.25em }
:disabled { opacity: .5 }
:focus-visible { outline: 2px solid #000; outline-offset: 2px; box-shadow: 0 0 0 2px #fff }
[part~=presence]::before { content: '● '; content: '● ' / ''; color: #777 }
[part~=available]::before { color: #1a8a3c }
video { width: var(--jingle-call-video, 20em); max-width: 100% }
[part=self] { width: 6em }
`
/** @type {CSSStyleSheet | undefined} */
let sheet

/** @type {(tag: string, part: string, fields?: object, ...inside: Node[]) => any} */
const make = (tag, part, fields, ...inside) => {
  const element = document.createElement(tag)
  element.append(...inside)
  return Object.assign(element, { part }, fields)
}

/** @type {(part: string, onclick: () => void) => any} */
const knob = (part, onclick) => make('button', `button ${part}`, { type: 'button', onclick })

/** @type {(element: HTMLElement, text: any) => void} */
const say = (element, text) => {
  element.hidden = !text
  if (element.textContent !== (text || '')) element.textContent = text || '' // a live region reads each change
}

/** @type {(element: HTMLMediaElement, stream: any) => void} */
const attach = (element, stream) => {
  element.hidden = !stream
  if (element.srcObject !== (stream || null)) element.srcObject = stream || null
  if (stream && element.paused) element.play().catch(() => {}) // also after the element was moved
}

// A server that renders pages has no DOM.
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {})

export class JingleCall extends Base {
  static observedAttributes = ['to', 'token-url', 'url', 'name', 'label', 'presence', 'disabled']
  /** @type {any} */
  #call = null
  /** @type {Bridge | null} */
  #bridge = null
  /** @type {any} */
  #provider = null
  #note = ''
  /** Why there is no session for `presence`. @type {BridgeError | null} */
  #fault = null
  #stale = false // another session is wanted
  #clock = 0

  #label = make('slot', 'label')
  #button = knob('call', () => this.dial())
  #presence = make('span', 'presence', { id: 'presence' })
  #picture = make('video', 'video', { muted: true, playsInline: true })
  #self = make('video', 'self', { muted: true, playsInline: true })
  #audio = make('audio', 'audio')
  #timer = make('span', 'timer')
  #answer = knob('answer', () => this.#call.accept({ video: this.hasAttribute('video') }).catch(this.#problem))
  #mute = knob('mute', () => this.#call.mute(!this.#call.muted))
  #camera = knob('camera', () => this.#call.camera(!this.#call.cameraOn).catch(this.#problem))
  #hangUp = knob('hang-up', () => this.hangUp())
  #bar = make('div', 'bar', { role: 'group' }, this.#picture, this.#self, this.#audio, this.#timer, this.#answer, this.#mute, this.#camera, this.#hangUp)
  #status = make('span', 'status', { role: 'status' })

  constructor() {
    super()
    this.#button.append(this.#label)
    this.#button.setAttribute('aria-describedby', 'presence')
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true })
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(CSS)
    root.adoptedStyleSheets = [sheet]
    root.append(this.#button, this.#presence, this.#bar, this.#status)
  }

  get call() {
    return this.#call
  }

  get tokenProvider() {
    return this.#provider
  }

  set tokenProvider(provider) {
    this.#provider = provider
    this.#update() // the session stays: frameworks set it again and again
  }

  dial() {
    if (this.#call || this.#button.disabled) return
    const bridge = this.#connect()
    const call = bridge.call(this.#to, { video: this.hasAttribute('video') })
    this.#take(call)
    setTimeout(() => call.state === 'preparing' && bridge.state !== 'online' && call.leave('unreachable'), 20_000)
  }

  hangUp() {
    this.#call?.hangUp()
  }

  connectedCallback() {
    if (Object.hasOwn(this, 'tokenProvider')) { // set before this module was there
      this.#provider = this.tokenProvider
      Reflect.deleteProperty(this, 'tokenProvider')
    }
    this.#update()
    speak([document.documentElement.lang]).then(() => this.#paint(), () => {})
  }

  disconnectedCallback() {
    setTimeout(() => { // not if it was only moved
      if (this.isConnected) return
      this.hangUp()
      this.#leave()
    })
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    this.#stale ||= /url|presence/.test(name)
    this.#paint()
    queueMicrotask(() => this.#update()) // once for many
  }

  get #to() {
    return (this.getAttribute('to') ?? '').trim().toLowerCase()
  }

  get #contact() {
    return this.#bridge?.contacts.find(({ jid }) => jid === this.#to)
  }

  get #name() {
    return this.getAttribute('name') || this.#contact?.name || this.#to.split('@')[0]
  }

  #connect() {
    if (this.#bridge) return this.#bridge
    const token = () => this.#provider?.() ?? fetchToken(this.getAttribute('token-url') ?? '')
    const bridge = this.#bridge = new Bridge({ url: this.getAttribute('url') ?? undefined, token })
    this.#stale = false
    this.#fault = null
    this.#on(bridge, 'contacts', () => this.#paint())
    this.#on(bridge, 'connection', ({ state, error }) => {
      if (this.#call?.state === 'preparing') this.#note = state === 'online' ? '' : t('button.retrying')
      if (state === 'offline') {
        this.#leave()
        this.#fault = error ?? null
      }
      this.#paint()
      if (state === 'offline' && error) this.#emit('error', error)
    })
    this.#on(bridge, 'incoming', (call) => !this.#call && call.peer.split('/')[0] === this.#to && this.#take(call))
    bridge.open().catch(() => {})
    return bridge
  }

  /** @type {(target: any, type: string, run: (detail: any) => void) => void} */
  #on = (target, type, run) => {
    target.addEventListener(type, (/** @type {any} */ { detail }) => (target === this.#call || target === this.#bridge) && run(detail))
  }

  #leave() {
    const bridge = this.#bridge
    this.#bridge = this.#fault = null
    bridge?.close()
  }

  #update() {
    if (!this.isConnected) return
    if (!this.#call && this.#stale) this.#leave()
    this.#paint()
    if (this.hasAttribute('presence') && !this.#button.disabled) this.#connect()
  }

  /** @param {any} call */
  #take(call) {
    this.#call = call
    this.#note = ''
    clearInterval(this.#clock)
    this.#clock = setInterval(() => this.#paint(), 1000)
    for (const type of ['state', 'streams', 'mute']) this.#on(call, type, () => this.#paint())
    this.#on(call, 'problem', this.#problem)
    this.#on(call, 'moved', (next) => this.#take(next))
    this.#on(call, 'ended', (detail) => {
      this.#note = buttonEnd(call, this.#name)
      this.#call = null
      clearInterval(this.#clock)
      if (!this.hasAttribute('presence') || this.#bridge?.state === 'offline') this.#leave()
      if (this.#bridge) this.#update()
      else this.#paint()
      if (call.error) this.#emit('error', call.error)
      this.#emit('ended', { ...detail, call })
    })
    this.#paint()
    this.#emit('call', call)
  }

  /** @param {any} error that ends nothing */
  #problem = (error) => {
    const silent = this.#call?.localStream?.getAudioTracks()[0]?.readyState === 'ended' // nothing is worse
    if (!silent || error.code === 'microphone-lost') this.#note = buttonProblem(error)
    this.#paint()
    this.#emit('error', error)
  }

  /** @type {(type: string, detail: any) => void} */
  #emit = (type, detail) => {
    if (type === 'error') console.warn('<jingle-call>', detail.code, detail.message)
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }))
  }

  #paint() {
    const call = this.#call
    const state = call?.state ?? 'idle'
    const incoming = state === 'incoming'
    const focused = this.shadowRoot?.activeElement
    const show = this.#bridge?.state === 'online' && this.#contact?.presence // else it is no longer known
    const fault = this.#fault
    this.setAttribute('state', state)
    if (fault) this.setAttribute('error', fault.code)
    else this.removeAttribute('error')
    this.#label.textContent = this.getAttribute('label') ?? t('button.call', { name: this.#name })
    this.#button.disabled = this.hasAttribute('disabled') || !this.#to || !(this.#provider ?? this.getAttribute('token-url'))
    this.#button.hidden = Boolean(call)
    this.#presence.part = `presence ${show}`
    say(this.#presence, !call && t(`button.${show}`, { name: this.#name }))
    say(this.#status, `${t(`state.${state}`)} ${fault ? buttonProblem(fault) : this.#note}`.trim())
    this.#status.hidden = false // else it may not be read
    this.#bar.hidden = !call
    this.#bar.ariaLabel = this.#name
    say(this.#answer, incoming && t('button.answer'))
    say(this.#mute, incoming ? '' : t('button.mute'))
    this.#mute.ariaPressed = call?.muted
    say(this.#camera, call?.cameraPossible && (call.cameraOn || this.hasAttribute('video')) && t('button.camera'))
    this.#camera.ariaPressed = call?.cameraOn
    say(this.#hangUp, t(incoming ? 'button.decline' : 'button.hang-up'))
    this.#paintMedia(call)
    if (focused?.closest('[hidden]')) (incoming ? this.#answer : call ? this.#hangUp : this.#button).focus()
  }

  /** @param {any} call */
  #paintMedia(call) {
    const since = call?.connectedAt
    const remote = call?.remoteStream
    const seen = since && !call.remoteCameraOff && remote?.getVideoTracks().some((/** @type {any} */ track) => track.readyState === 'live' && !track.muted)
    say(this.#timer, since && clock((Date.now() - since) / 1000))
    attach(this.#audio, remote)
    attach(this.#picture, seen && remote)
    attach(this.#self, call?.cameraOn && call.localStream)
  }
}

if (globalThis.customElements && !customElements.get('jingle-call')) customElements.define('jingle-call', JingleCall)
