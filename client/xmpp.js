/**
 * For pages that have an XMPP connection: frames go by it, and no WebSocket to the bridge is opened.
 *
 *     const bridge = await connect({ transport: strophe(connection, 'call.example.org') })
 *
 * Spec: docs/reference/native.md.
 * @module
 */

const NS = 'urn:jinglebridge:frame:0'
const TIMEOUT = 20_000 // ms for an answer

/**
 * @param {any} connection of strophe.js; it may be cut and come back
 * @param {string} domain of the bridge
 */
export function strophe(connection, domain) {
  return () => new XmppSocket(connection, domain)
}

/** As much of a WebSocket as a session needs. */
class XmppSocket {
  /** @type {(() => void) | null} */
  onopen = null
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null
  /** @type {((event: {code: number}) => void) | null} */
  onclose = null

  #connection
  #domain
  #handler
  #open = true
  #jid
  #watch

  /**
   * @param {any} connection
   * @param {string} domain
   */
  constructor(connection, domain) {
    this.#connection = connection
    this.#domain = domain
    this.#handler = connection.addHandler((/** @type {Element} */ iq) => this.#asked(iq), NS, 'iq', 'set', null, domain)
    this.#jid = connection.jid
    this.#watch = setInterval(() => this.#alive() || this.#over(), 1000) // strophe tells nobody but the one who connected
    setTimeout(() => {
      if (!this.#alive()) return this.#over()
      connection.send(element('presence', { to: domain })) // so the bridge hears when this page is gone
      if (this.#open) this.onopen?.()
    })
  }

  /** @param {string} text */
  send(text) {
    if (!this.#alive()) return this.#over()
    const iq = element('iq', { type: 'set', to: this.#domain }, element('frame', { xmlns: NS }, text))
    this.#connection.sendIQ(iq, (/** @type {Element} */ answer) => this.#answered(answer), (/** @type {Element | null} */ error) => this.#answered(error), TIMEOUT)
  }

  #alive() {
    return this.#connection.authenticated && this.#connection.jid === this.#jid
  }

  close() {
    this.#open = false
    clearInterval(this.#watch)
    this.#connection.deleteHandler(this.#handler)
  }

  #over(code = 1006) {
    if (!this.#open) return
    this.close()
    this.onclose?.({ code })
  }

  /** @param {Element | null} iq null: there was none in time */
  #answered(iq) {
    // An error that is not of the bridge may have the frame that we sent in it.
    const data = (iq?.getAttribute('type') === 'error' ? iq.getElementsByTagName('error')[0] : iq)?.getElementsByTagName('frame')[0]?.textContent
    if (!this.#open) return
    if (!data || JSON.parse(data).code === 'hello-first') this.#over() // the bridge was restarted, or thinks that we left
    else this.onmessage?.({ data })
  }

  /** @param {Element} iq */
  #asked(iq) {
    this.#connection.send(element('iq', { type: 'result', to: this.#domain, id: iq.getAttribute('id') ?? '' }))
    const child = iq.firstElementChild
    const data = child?.textContent
    if (child?.localName === 'close') this.#over(Number(child.getAttribute('code')))
    else if (data) this.onmessage?.({ data })
    return this.#open
  }
}

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {string | Element} [content]
 */
function element(name, attributes, content = '') {
  const made = document.createElementNS(null, name)
  for (const [key, value] of Object.entries({ xmlns: 'jabber:client', ...attributes })) made.setAttribute(key, value)
  made.append(content)
  return made
}
