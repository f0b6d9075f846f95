import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import { Signalling } from '../../../client/signalling.js'
import { StreamSocket } from '../../../client/stream.js'
import { FakeClock, FakeSocket, FakeStreams, install, page, settle } from './fakes.mjs'

let clock
beforeEach(() => {
  install()
  FakeStreams.up = true
  clock = new FakeClock()
})

/** Until the stream's own promises are through: some are the platform's. */
const calm = async () => { for (let n = 0; n < 5; n++) await settle() }

/** Longer than a stream that was cut may be that of a page which is being closed. */
const noticed = () => new Promise((resolve) => setTimeout(resolve, 500))

/** A session whose WebSocket was refused, or in another way did not come up. */
async function online({ block = () => FakeSocket.last.cut(), identity = { token: 'T' } } = {}) {
  const it = new Signalling('wss://h/call/ws', identity, { video: true }, clock)
  const opened = it.open()
  await settle()
  await block()
  await calm()
  FakeStreams.last.welcome()
  await opened
  return it
}

describe('a network without WebSocket', () => {
  it('is given the same hello by POST, beside the socket, without cookies', async () => {
    const it = await online()
    assert.equal(it.state, 'online')
    const { id, ...rest } = FakeStreams.last.hello
    assert.deepEqual(rest, { type: 'hello', version: 1, video: true, token: 'T' })
    assert.equal(FakeStreams.last.url, 'https://h/call/stream')
    assert.equal(FakeStreams.last.credentials, 'omit')
    assert.ok(FakeSocket.last.closed)
  })

  it('may swallow the handshake: 4 s are enough', async () => {
    await online({ block: () => clock.pass(4000) })
    assert.deepEqual([FakeSocket.all.length, FakeStreams.all.length], [1, 1])
    FakeSocket.last.onopen() // late, and nobody listens
    assert.equal(FakeSocket.last.sent.length, 0)
  })

  it('may let the handshake pass and nothing after it', async () => {
    const it = new Signalling('ws://h/ws', { token: 'T' }, {}, clock)
    it.open()
    await settle()
    FakeSocket.last.open()
    await clock.pass(10_000 + 1000)
    await calm()
    assert.deepEqual([FakeSocket.all.length, FakeStreams.all.length], [1, 1])
    FakeStreams.last.welcome()
    await calm()
    assert.equal(it.state, 'online')
  })

  it('is no reason for a second token: the same goes by the stream', async () => {
    let asked = 0
    await online({ identity: { token: () => `T${++asked}` } })
    assert.deepEqual([asked, FakeStreams.last.hello.token], [1, 'T1'])
  })

  it('asks for another token when the first one is refused, as with a WebSocket', async () => {
    let asked = 0
    FakeStreams.refusal = { type: 'error', code: 'token-expired', message: 'late' }
    const it = new Signalling('ws://h/ws', { token: () => `T${++asked}` }, {}, clock)
    const opened = it.open()
    const rejected = assert.rejects(opened, { code: 'token-expired' })
    for (let n = 0; n < 2; n++) {
      await settle()
      FakeSocket.last.cut()
      await calm()
    }
    await rejected
    assert.deepEqual([asked, it.state, clock.timers.size], [2, 'offline', 0])
  })
})

describe('frames', () => {
  it('of one turn go in one POST, those of the next wait for its answer, in order', async () => {
    const it = await online()
    let release
    FakeStreams.last.hold = new Promise((resolve) => { release = resolve })
    for (const call of ['a', 'b']) it.request('hangup', { call })
    await calm()
    for (const call of ['c', 'd', 'e']) it.request('hangup', { call })
    await calm()
    assert.deepEqual(FakeStreams.last.posts.map((post) => post.map(({ call }) => call)), [['a', 'b']])
    release()
    await calm()
    assert.deepEqual(FakeStreams.last.posts.map((post) => post.map(({ call }) => call)), [['a', 'b'], ['c', 'd', 'e']])
  })

  it('wait for no answer when the page is being closed', async () => {
    const it = await online()
    FakeStreams.last.hold = new Promise(() => {})
    for (const call of ['a', 'b']) {
      it.request('hangup', { call })
      await calm()
    }
    page.dispatchEvent(new Event('pagehide'))
    await calm()
    assert.deepEqual(FakeStreams.last.posts.map((post) => post.map(({ call }) => call)), [['a'], ['b']])
  })

  it('keep their order in a page that comes back after it was closed', async () => {
    const it = await online()
    const stream = FakeStreams.last
    const free = []
    const holds = () => { stream.hold = new Promise((resolve) => free.push(resolve)) }
    holds()
    it.request('hangup', { call: 'a' })
    await calm()
    holds()
    it.request('hangup', { call: 'b' })
    page.dispatchEvent(new Event('pagehide'))
    await calm()
    free[0]()
    await calm()
    it.request('hangup', { call: 'c' })
    await calm()
    assert.deepEqual(stream.posts.flat().map(({ call }) => call), ['a', 'b'], 'b has no answer yet')
    free[1]()
    await calm()
    assert.deepEqual(stream.posts.flat().map(({ call }) => call), ['a', 'b', 'c'])
  })

  it('that are long share no POST, and only short ones outlive the page', async () => {
    const it = await online()
    for (const size of [50_000, 20_000, 30_000, 90_000, 10]) it.request('call', { sdp: 'x'.repeat(size) })
    await calm()
    assert.deepEqual(FakeStreams.last.posts.map((post) => post.map(({ sdp }) => sdp.length)), [[50_000], [20_000, 30_000], [90_000], [10]])
    assert.equal(FakeStreams.last.keepalive, true)
    it.request('call', { sdp: 'x'.repeat(17_000) })
    await calm()
    assert.equal(FakeStreams.last.keepalive, false)
  })

  it('are answered and counted as by WebSocket, however the bytes are cut', async () => {
    const it = await online()
    const seen = []
    it.addEventListener('event', ({ detail }) => seen.push([detail.seq, detail.text]))
    const asked = it.request('ice', { to: 'x@y' })
    await calm()
    const text = `data: ${JSON.stringify({ type: 'state', seq: 1, text: 'é\u2028ü 🎈' })}\n\ndata: ${JSON.stringify({ type: 'ice', id: FakeStreams.last.of('ice')[0].id, ok: 1 })}\n\n`
    for (const byte of new TextEncoder().encode(text)) FakeStreams.last.controller.enqueue(new Uint8Array([byte]))
    assert.equal((await asked).ok, 1)
    assert.deepEqual(seen, [[1, 'é\u2028ü 🎈']])
  })

  it('that ask for a sign of life get one at once', async () => {
    await online()
    FakeStreams.last.write('event: ping\ndata: 0\n\n')
    await calm()
    assert.deepEqual(FakeStreams.last.posts, [['']])
  })
})

describe('a stream that ends', () => {
  it('is resumed by another one: no WebSocket is tried, what had no answer is sent again', async () => {
    const it = await online()
    const first = FakeStreams.last
    first.say({ type: 'state', seq: 1 })
    const lost = it.request('hangup', { call: 'b' })
    await calm()
    first.cut()
    await noticed()
    assert.equal(it.state, 'reconnecting')
    await clock.pass(1000)
    await calm()
    assert.deepEqual([FakeSocket.all.length, FakeStreams.all.length], [1, 2])
    FakeStreams.last.welcome({ resumed: true, seq: 1 })
    await calm()
    assert.deepEqual(FakeStreams.last.hello.resume, { secret: 'secret-1', lastSeq: 1 })
    assert.equal(FakeStreams.last.of('hangup')[0].id, first.of('hangup')[0].id)
    FakeStreams.last.say({ type: 'ack', id: first.of('hangup')[0].id })
    await lost
  })

  it('because the page is being closed still takes what the page says at the end', async () => {
    const it = await online()
    FakeStreams.last.cut()
    FakeStreams.last.closed = false // the bridge, too, waits a little
    await calm()
    it.request('hangup', { call: 'b' })
    await calm()
    assert.deepEqual([it.state, FakeStreams.last.of('hangup').length, FakeStreams.last.keepalive], ['online', 1, true])
  })

  it('because a POST failed is resumed too', async () => {
    const it = await online()
    FakeStreams.last.closed = true
    it.request('hangup', { call: 'b' })
    await calm()
    assert.equal(it.state, 'reconnecting')
  })

  it('is given up when no pong comes within 5 s', async () => {
    const it = await online()
    await clock.pass(15_000)
    await calm()
    assert.equal(it.state, 'reconnecting')
    assert.ok(FakeStreams.last.closed)
  })

  it('and cannot be opened again lets a WebSocket be tried', async () => {
    const it = await online()
    FakeStreams.last.cut()
    FakeStreams.up = false
    await noticed()
    await clock.pass(1000)
    await calm()
    assert.equal(FakeSocket.all.length, 1)
    await clock.pass(2000)
    assert.equal(FakeSocket.all.length, 2)
    FakeSocket.last.welcome({ resumed: true })
    assert.equal(it.state, 'online')
  })

  it('on another network lets a WebSocket be tried', async () => {
    await online()
    FakeStreams.last.cut()
    await noticed()
    page.dispatchEvent(new Event('online'))
    await calm()
    assert.deepEqual([FakeSocket.all.length, FakeStreams.all.length], [2, 1])
  })

  it('was no proof against WebSockets if the bridge was away: the next time one is tried', async () => {
    const it = new Signalling('ws://h/ws', { token: 'T' }, {}, clock)
    it.open()
    await settle()
    FakeStreams.up = false
    FakeSocket.last.cut() // the bridge is away
    await calm()
    await clock.pass(1000)
    FakeStreams.up = true
    FakeSocket.last.cut() // still away, and back in just this moment
    await calm()
    FakeStreams.last.welcome()
    await calm()
    assert.equal(it.state, 'online')
    FakeStreams.last.cut()
    await noticed()
    await clock.pass(1000)
    assert.equal(FakeSocket.all.length, 3)
  })

  it('with the code for a revoked way in is the end', async () => {
    const it = await online()
    const seen = []
    it.addEventListener('connection', ({ detail }) => seen.push([detail.state, detail.error?.code]))
    FakeStreams.last.write('event: close\ndata: 4002 revoked\n\n')
    await calm()
    assert.deepEqual(seen, [['offline', 'not-authorized']])
  })
})

it('close() says bye before the stream is cut', async () => {
  const it = await online()
  const stream = FakeStreams.last
  it.close()
  assert.equal(stream.closed, false)
  await calm()
  assert.equal(stream.sent.at(-1).type, 'bye')
  assert.equal(stream.closed, true)
  assert.equal(clock.timers.size, 0)
})

it('close() during hello cuts it off', async () => {
  const it = new Signalling('ws://h/ws', { token: 'T' }, {}, clock)
  const rejected = assert.rejects(it.open(), { code: 'closed' })
  await settle()
  FakeSocket.last.cut()
  it.close()
  await rejected
  await calm()
  assert.deepEqual(FakeStreams.all.filter(({ controller, closed }) => controller && !closed), [])
})

it('a stream that is over listens to the page no longer', async () => {
  const before = globalThis.removeEventListener
  const left = []
  globalThis.removeEventListener = (type) => { left.push(type) }
  new StreamSocket('wss://h/ws').close()
  globalThis.removeEventListener = before
  assert.deepEqual(left, ['pagehide'])
})
