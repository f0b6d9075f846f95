/** Types of `xmpp.js`. */

import type { Transport } from './index.js'

/**
 * For `connect({ transport })`: frames go by the XMPP connection that the page has.
 * @param connection a `Strophe.Connection`; it may be cut and come back
 * @param domain of the bridge, such as `call.example.org`
 */
export function strophe(connection: object, domain: string): () => Transport
