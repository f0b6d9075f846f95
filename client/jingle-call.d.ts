/** Types of `jingle-call.js`, which defines the element `<jingle-call>` when it is imported. */

import type { BridgeError, Call, CallState, Ended } from './index.js'

export interface JingleCallEvents {
  /** A call begins: made here, come in here, or gone on as another one. */
  call: CustomEvent<Call>
  ended: CustomEvent<Ended & { call: Call }>
  /** With a call: it ends with this, or goes on without something. Without: no session for `presence`. */
  error: CustomEvent<BridgeError>
}

/**
 * Attributes: `to` (address), `token-url`, `url` (of the bridge; default: where the module came from), `name`, `label`, `video`, `presence`
 * (connect at once, and show it), `disabled`. The element sets `state` for your style sheet: `idle` or a CallState;
 * and `error`, a code, while there is no session for `presence`.
 */
export class JingleCall extends HTMLElement {
  /** Null: none goes on. */
  readonly call: Call | null
  /** Instead of `token-url`; asked whenever a token is needed. */
  tokenProvider: (() => string | Promise<string>) | null
  /** What a press does; nothing while disabled or in a call. */
  dial(): void
  hangUp(): void
  addEventListener<K extends keyof JingleCallEvents>(type: K, listener: (event: JingleCallEvents[K]) => void, options?: boolean | AddEventListenerOptions): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
}

/** In the attribute `state`. */
export type JingleCallState = 'idle' | CallState

declare global {
  interface HTMLElementTagNameMap {
    'jingle-call': JingleCall
  }
}
