/**
 * What every module here needs: the typed error, the typed event, random ids, named timers.
 * @module
 */

/** Everything that goes wrong; the codes are in `index.d.ts`. */
export class BridgeError extends Error {
  /** @param {string} code @param {string} [message] in plain English @param {{cause?: unknown, what?: string}} [more] */
  constructor(code, message = code, more = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined)
    this.name = 'BridgeError'
    this.code = code
    this.what = more.what
  }
}

/** An event that carries a value, like CustomEvent (which older versions of node lack). */
export class BridgeEvent extends Event {
  /** @param {string} type @param {any} [detail] */
  constructor(type, detail) {
    super(type)
    this.detail = detail
  }
}

/** @param {EventTarget} target @param {string} type @param {any} [detail] */
export function emit(target, type, detail) {
  target.dispatchEvent(new BridgeEvent(type, detail))
}

/** 128 random bits as 32 hex digits; unlike `crypto.randomUUID` also there without https. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What `Timers` runs on; tests pass another one. */
export const realClock = {
  setTimeout: (/** @type {() => void} */ run, /** @type {number} */ ms) => /** @type {any} */ (setTimeout(run, ms)),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
  random: () => Math.random(),
}

/** Timers with names: setting one again replaces it. */
export class Timers {
  #clock
  /** @type {Map<string, any>} */
  #running = new Map()

  constructor(clock = realClock) {
    this.#clock = clock
  }

  /** @param {string} name @param {number} ms @param {() => void} run */
  set(name, ms, run) {
    this.cancel(name)
    this.#running.set(name, this.#clock.setTimeout(() => {
      this.#running.delete(name)
      run()
    }, ms))
  }

  /** @param {string} name */
  has(name) {
    return this.#running.has(name)
  }

  /** @param {string} name */
  cancel(name) {
    this.#clock.clearTimeout(this.#running.get(name))
    this.#running.delete(name)
  }

  clear() {
    for (const name of [...this.#running.keys()]) this.cancel(name)
  }
}
