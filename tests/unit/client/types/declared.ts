// Compiled, never run: index.d.ts declares what the modules have, with types that fit.

import type * as declared from '../../../../client/index.js'
import type { Bridge } from '../../../../client/jinglebridge.js'
import type { Call } from '../../../../client/call.js'

type Missing<Declared, Real> = Exclude<keyof Declared, keyof Real>
const nothing: Missing<declared.Call, Call> | Missing<declared.Bridge, Bridge> extends never ? true : false = true

/** What a method takes and gives, and what a property is, must be what is declared. */
type Plain<T> = Omit<T, 'addEventListener' | 'removeEventListener' | 'dispatchEvent'>
declare const call: Call
declare const bridge: Bridge
type Loose<T> = { [K in keyof T]: T[K] extends (...given: infer A) => infer R ? (...given: A) => R extends Promise<unknown> ? Promise<any> : any : unknown }
const sameCall: Plain<Loose<declared.Call>> = call
const sameBridge: Plain<Loose<declared.Bridge>> = bridge

// As a page writes it.
declare const stop: AbortSignal
declare const connect: typeof declared.connect
export async function page() {
  const bridge = await connect({ token: async () => 'token', signal: stop })
  const call = bridge.call('alice@example.org', { video: { facingMode: 'user' }, signal: stop })
  call.addEventListener('problem', ({ detail }) => { if (detail.code === 'camera-lost') call.camera(true) })
  call.addEventListener('ended', ({ detail }) => { const reason: declared.EndReason = detail.reason; return reason })
  // @ts-expect-error: no such code
  call.addEventListener('problem', ({ detail }) => detail.code === 'camera-stolen')
  // @ts-expect-error: read-only
  call.muted = true
  bridge.addEventListener('incoming', ({ detail }) => detail.accept({ video: detail.media.video, signal: stop }))
  return [nothing, sameCall, sameBridge, call.remoteSharing]
}
