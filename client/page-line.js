/**
 * The calls of a page: one at most is on show, and one at most rings. The page of a guest has them as the other one has.
 * @module
 */

import { hideCall, showCall } from './page-call.js'
import { showControls } from './page-controls.js'
import { enable, explain, hideIncoming, ringingCall, showIncoming } from './page-incoming.js'
import { withDevices } from './page-setup.js'
import { setting } from './page-store.js'
import { ring } from './ring.js'

/**
 * @typedef {object} Page what the page does beside it
 * @property {(call: import('./call.js').Call) => void} latest `call` is the one to look at, for developers
 * @property {(busy: boolean) => void} changed there is a call on show, or none any more
 * @property {(call: import('./call.js').Call) => void} over of a call that was on show, or rang while none was
 * @property {() => void} [past] a call that nobody looked at is over, too
 * @property {(jid: string) => any} [contact] as far as known
 */

export class Line {
  /** The one on show. @type {import('./call.js').Call | null} */
  current = null
  #page

  /** @param {Page} page */
  constructor(page) {
    this.#page = page
    addEventListener('beforeunload', (event) => { if (this.current) event.preventDefault() })
  }

  /**
   * @param {import('./jinglebridge.js').Bridge | null} bridge
   * @param {string} jid
   * @param {{audio?: boolean, video: boolean}} wanted
   */
  place(bridge, jid, wanted) {
    if (bridge && !this.current) this.#take(bridge.call(jid, withDevices(wanted)))
  }

  /** @param {import('./call.js').Call} call */
  incoming(call) {
    if (ringingCall()) return call.reject({ busy: true })
    if (!this.current) this.#page.latest(call)
    showIncoming(call, { current: this.current, onAccept: (wanted) => this.#accept(call, wanted) })
    call.addEventListener('state', () => this.#sound())
    call.addEventListener('ended', () => {
      if (ringingCall() !== call) return
      hideIncoming(call)
      this.#page.past?.()
      this.#sound()
      if (!this.current) this.#page.over(call)
    })
    this.#sound()
  }

  /** @param {import('./call.js').Call} call @param {{audio: boolean, video: boolean}} wanted */
  async #accept(call, wanted) {
    enable(false)
    try {
      await call.accept(withDevices(wanted))
    } catch (error) {
      return explain(error)
    }
    if (call.ended) return
    const previous = this.current
    this.current = null
    previous?.hangUp()
    hideIncoming(call)
    this.#take(call)
  }

  /**
   * @param {import('./call.js').Call} call that is on show from now on
   * @param {import('./call.js').Call} [before] what it was until now
   */
  #take(call, before) {
    this.current = call
    this.#page.latest(call)
    this.#page.changed(true)
    showCall(call, this.#page.contact?.(call.peer.split('/')[0]), before)
    showControls(call)
    call.addEventListener('state', () => { this.#sound(); if (this.current === call) this.#page.changed(true) })
    call.addEventListener('ended', () => this.#over(call))
    call.addEventListener('moved', (/** @type {any} */ { detail }) => {
      hideIncoming(detail) // it may have rung before
      this.#take(detail, call)
    })
    this.#sound()
  }

  /** @param {import('./call.js').Call} call */
  #over(call) {
    hideCall(call)
    this.#page.past?.()
    if (this.current !== call) return
    this.current = null
    this.#page.changed(false)
    this.#sound()
    this.#page.over(call)
  }

  #sound() {
    const rings = setting('ring') && ringingCall()?.state === 'incoming'
    const { state, direction } = this.current ?? {}
    ring(rings ? (this.current ? 'waiting' : 'incoming') : state === 'ringing' && direction === 'out' ? 'ringback' : null)
  }
}
