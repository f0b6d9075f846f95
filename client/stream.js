/**
 * What signalling.js needs of a WebSocket, by plain HTTP: the bridge's frames by a stream, ours by POST, one at a time since
 * they have an order, with all that has gathered meanwhile.
 *
 * Spec: docs/reference/json-protocol.md, "Without WebSocket".
 * @module
 */

const BATCH = 60_000 // characters of one POST, unless one frame has more
const KEEPALIVE = 16_000 // characters: a browser sends so little to its end when the page is closed; its limit is 64 KiB of all
const FAREWELL = 200 // ms: a browser that closes the page cuts the stream first, and then the page says that it hangs up

export class StreamSocket {
  /** @type {(() => void) | null} */
  onopen = null
  /** @type {((event: {data: string}) => void) | null} */
  onmessage = null
  /** @type {((event: {code: number}) => void) | null} */
  onclose = null

  #url
  #key = ''
  /** @type {string[]} */
  #waiting = []
  #posts = 0 // under way, or about to be
  #closed = false
  #abort = new AbortController()
  #hurry = () => { if (this.#posts && this.#key) this.#begin() } // the page is closed before the POST that is under way has its answer

  /** @param {string} url of the WebSocket; the stream is beside it */
  constructor(url) {
    this.#url = new URL('stream', url.replace(/^ws/, 'http')).href
    if (!/^http/.test(this.#url)) throw new TypeError(url)
    globalThis.addEventListener?.('pagehide', this.#hurry)
    queueMicrotask(() => this.onopen?.())
  }

  /** @param {string} text */
  send(text) {
    this.#waiting.push(text)
    if (!this.#posts) this.#begin()
  }

  /** What was sent before goes out first, as with a WebSocket. */
  close() {
    this.#closed = true
    if (!this.#posts || !this.#key) this.#end(1000)
  }

  #begin() {
    this.#posts++
    queueMicrotask(() => this.#post())
  }

  async #post() {
    try {
      if (!this.#key) await this.#hello(/** @type {string} */ (this.#waiting.shift()))
      while (this.#key && this.#waiting.length) {
        let count = 1
        for (let size = this.#waiting[0].length; count < this.#waiting.length; count++) {
          size += this.#waiting[count].length
          if (size > BATCH) break
        }
        const body = this.#waiting.splice(0, count).join('\n')
        await this.#fetch('/frames', this.#key, { method: 'POST', body, keepalive: body.length < KEEPALIVE })
      }
    } catch {
      this.#end(1006) // the requests without an answer are sent again by whoever resumes
    }
    this.#posts--
    if (this.#closed && !this.#posts) this.#end(1000)
  }

  /** @param {string} hello */
  async #hello(hello) {
    const headers = { 'Content-Type': 'application/json' }
    const answer = await (await this.#fetch('', '', { method: 'POST', body: hello, headers, signal: this.#abort.signal })).text()
    const { key, ticket } = JSON.parse(answer)
    if (!key) {
      this.onmessage?.({ data: answer })
      return this.#end(4001)
    }
    this.#key = key
    this.#read(ticket).catch(() => {}).then(() => setTimeout(() => this.#end(1006), FAREWELL))
  }

  /** @param {string} ticket */
  async #read(ticket) {
    const { body } = await this.#fetch('', ticket, { signal: this.#abort.signal })
    const reader = /** @type {ReadableStream} */ (body).pipeThrough(new TextDecoderStream()).getReader()
    for (let rest = ''; ;) {
      const { value, done } = await reader.read()
      if (done) return
      const events = (rest + value).split('\n\n')
      rest = /** @type {string} */ (events.pop())
      for (const event of events) this.#event(event)
    }
  }

  /** @param {string} text one of server-sent events */
  #event(text) {
    const [, kind, data] = /^(?:event: (.*?)\n)?data: (.*)$/s.exec(text) ?? []
    if (kind === 'ping') this.send('') // for sleeping pages: their timers are late, this is not
    else if (kind === 'close') this.#end(parseInt(data))
    else if (data && !this.#closed) this.onmessage?.({ data })
  }

  /** @param {string} path @param {string} secret @param {RequestInit} options */
  async #fetch(path, secret, options) {
    const headers = secret ? { Authorization: `Bearer ${secret}` } : options.headers
    const reply = await fetch(this.#url + path, { credentials: 'omit', ...options, headers })
    if (!reply.ok) throw new Error(`HTTP ${reply.status}`)
    return reply
  }

  /** @param {number} code */
  #end(code) {
    if (!this.#closed) this.onclose?.({ code })
    this.#closed = true
    globalThis.removeEventListener?.('pagehide', this.#hurry)
    this.#waiting = []
    this.#abort.abort()
  }
}
