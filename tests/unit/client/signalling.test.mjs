import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'

import { Signalling } from '../../../client/signalling.js'
import { FakeClock, FakeSocket, install, page, settle } from './fakes.mjs'

let clock
afterEach(() => { delete globalThis.document })
beforeEach(() => {
  install()
  clock = new FakeClock()
})

const link = (identity = { token: 'T' }) => new Signalling('ws://h/ws', identity, { video: true }, clock)

async function online(identity) {
  const it = link(identity)
  const opened = it.open()
  await settle()
  FakeSocket.last.welcome()
  await opened
  return it
}

const states = (it) => {
  const seen = []
  it.addEventListener('connection', ({ detail }) => seen.push(detail.state))
  return seen
}

describe('hello', () => {
  it('goes out first, with version and token, over the subprotocol', async () => {
    await online()
    assert.deepEqual(FakeSocket.last.protocols, ['jinglebridge.v1'])
    const { id, ...rest } = FakeSocket.last.sent[0]
    assert.deepEqual(rest, { type: 'hello', version: 1, video: true, token: 'T' })
    assert.ok(id)
  })

  it('asks a token function each time, and once more when the token is refused', async () => {
    let asked = 0
    const it = link({ token: async () => `T${++asked}` })
    const opened = it.open()
    await settle()
    const first = FakeSocket.last
    first.open()
    first.say({ type: 'error', id: first.hello.id, code: 'token-expired', message: 'late' })
    await settle()
    assert.notEqual(FakeSocket.last, first)
    assert.ok(first.closed)
    FakeSocket.last.open()
    assert.equal(FakeSocket.last.hello.token, 'T2')
    FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code: 'token-expired', message: 'late' })
    await assert.rejects(opened, { code: 'token-expired' })
    assert.equal(it.state, 'offline')
  })

  it('goes by the transport that the page brings, which says who this is', async () => {
    const made = []
    const it = await online({ transport: () => (made.push(new FakeSocket('ws://own')), made.at(-1)) })
    assert.deepEqual(FakeSocket.all, made)
    const { id, ...rest } = made[0].sent[0]
    assert.deepEqual(rest, { type: 'hello', version: 1, video: true })
    made[0].onclose({ code: 1013 })
    await clock.pass(1000)
    assert.equal(made.length, 2)
    made[1].open()
    assert.equal(made[1].hello.resume.lastSeq, 0)
    assert.equal(it.state, 'reconnecting')
  })

  it('fails for good when a plain token is refused', async () => {
    const it = link()
    const opened = it.open()
    await settle()
    FakeSocket.last.open()
    FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code: 'not-authorized', message: 'no' })
    await assert.rejects(opened, { code: 'not-authorized', message: 'no' })
    assert.equal(clock.timers.size, 0)
  })

  it('tries again when the bridge says unavailable, and when no welcome comes', async () => {
    const it = link()
    it.open()
    await settle()
    FakeSocket.last.open()
    FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code: 'unavailable', message: 'later' })
    await clock.pass(1000)
    assert.equal(FakeSocket.all.length, 2)
    await clock.pass(10_000 + 2000)
    assert.equal(FakeSocket.all.length, 3)
  })

  it('tries again when the token function finds no network, fails when it says no', async () => {
    let down = true
    const it = link({ token: () => { throw down ? new TypeError('fetch failed') : new Error('401') } })
    const opened = it.open()
    await settle()
    assert.equal(it.state, 'connecting')
    down = false
    const rejected = assert.rejects(opened, { code: 'not-authorized' })
    await clock.pass(1000)
    await rejected
  })

  it('takes a stream where the browser has no WebSocket, or the page may not open one', async () => {
    const { WebSocket } = globalThis
    try {
      for (const broken of [undefined, class { constructor() { throw new DOMException('no', 'SecurityError') } }]) {
        const asked = []
        globalThis.WebSocket = /** @type {any} */ (broken)
        const { fetch } = globalThis
        globalThis.fetch = async (url) => { asked.push(String(url)); throw new TypeError('offline') }
        const it = link({ token: 'T' })
        it.open().catch(() => {})
        for (let turn = 0; turn < 20; turn++) await null
        await new Promise((next) => setImmediate(next))
        globalThis.fetch = fetch
        it.close()
        assert.deepEqual(asked.map((url) => new URL(url).pathname), ['/stream'])
      }
    } finally {
      globalThis.WebSocket = WebSocket
    }
  })

  it('says at once that nothing tells who this is, and that an address is none', async () => {
    await assert.rejects(link({}).open(), { code: 'not-authorized' })
    await assert.rejects(new Signalling('ftp://h', { token: 'T' }, {}, clock).open(), { code: 'bad-url' })
  })
})

describe('requests', () => {
  it('are settled by ack, error, and the ice event', async () => {
    const it = await online()
    const asked = it.request('ice', { to: 'x@y' })
    const acked = it.request('info', { call: 'c', info: 'mute' })
    const failed = it.request('call', { call: 'd' })
    const [ice, info, call] = FakeSocket.last.sent.slice(1)
    assert.equal(new Set([ice.id, info.id, call.id]).size, 3)
    FakeSocket.last.say({ type: 'ice', id: ice.id, iceServers: [1] })
    FakeSocket.last.say({ type: 'ack', id: ice.id })
    FakeSocket.last.say({ type: 'ack', id: info.id })
    FakeSocket.last.say({ type: 'error', id: call.id, code: 'not-negotiable', message: 'm', what: 'add' })
    assert.deepEqual((await asked).iceServers, [1])
    await acked
    await assert.rejects(failed, { name: 'BridgeError', code: 'not-negotiable', what: 'add' })
  })

  it('have other ids after a reload of the page', async () => {
    const one = await online()
    const two = await online()
    one.request('history').catch(() => {})
    two.request('history').catch(() => {})
    const [a, b] = FakeSocket.all.map((socket) => socket.of('history')[0].id)
    assert.notEqual(a, b)
  })

  it('over the limit are refused here', async () => {
    const it = await online()
    await assert.rejects(it.request('call', { sdp: 'é'.repeat(60_000) }), { code: 'too-big' })
  })

  it('of who waits for a connection leave once', async () => {
    const it = link()
    it.addEventListener('connection', ({ detail }) => detail.state === 'online' && it.request('history'))
    it.open()
    await settle()
    it.request('devices')
    FakeSocket.last.welcome()
    assert.deepEqual(FakeSocket.last.sent.map(({ type }) => type), ['hello', 'history', 'devices'])
  })

  it('that are urgent are refused without a connection', async () => {
    const it = await online()
    FakeSocket.last.cut()
    await assert.rejects(it.request('stats', {}, { urgent: true }), { code: 'offline' })
  })

  it('of a call that never left are forgotten', async () => {
    const it = await online()
    FakeSocket.last.cut()
    const waiting = it.request('call', { call: 'c' })
    assert.equal(it.forget('c'), true)
    await assert.rejects(waiting, { code: 'closed' })
    assert.equal(it.forget('c'), false)
  })
})

describe('resume', () => {
  it('sends secret and lastSeq, then what was not acknowledged with the same id, then what came since', async () => {
    const it = await online()
    const first = FakeSocket.last
    for (const seq of [1, 2, 3]) first.say({ type: 'state', seq, call: 'c' })
    const done = it.request('hangup', { call: 'a' })
    const lost = it.request('hangup', { call: 'b' })
    first.say({ type: 'ack', id: first.of('hangup')[0].id })
    await done
    first.cut()
    const later = it.request('info', { call: 'b' })
    await clock.pass(1000)
    const second = FakeSocket.last
    second.welcome({ resumed: true, seq: 5 })
    assert.deepEqual(second.hello.resume, { secret: 'secret-1', lastSeq: 3 })
    assert.equal('token' in second.hello, false)
    assert.deepEqual(second.sent.slice(1).map(({ type, call, id }) => [type, call, id === first.of('hangup')[1].id]), [['hangup', 'b', true], ['info', 'b', false]])
    for (const { id } of second.sent.slice(1)) second.say({ type: 'ack', id })
    await Promise.all([lost, later])
  })

  it('drops events that were seen and takes the others', async () => {
    const it = await online()
    const seen = []
    it.addEventListener('event', ({ detail }) => seen.push(detail.seq))
    for (const seq of [1, 2, 2, 1, 3]) FakeSocket.last.say({ type: 'state', seq, call: 'c' })
    FakeSocket.last.cut()
    await clock.pass(1000)
    FakeSocket.last.welcome({ resumed: true, seq: 4 })
    for (const seq of [3, 4]) FakeSocket.last.say({ type: 'state', seq, call: 'c' })
    assert.deepEqual(seen, [1, 2, 3, 4])
    assert.equal(it.resume.lastSeq, 4)
  })

  it('starts counting anew at the seq of a welcome that resumed nothing', async () => {
    const it = await online()
    FakeSocket.last.say({ type: 'state', seq: 9, call: 'c' })
    FakeSocket.last.cut()
    await clock.pass(1000)
    FakeSocket.last.welcome({ resumed: false, seq: 2 })
    assert.deepEqual(it.resume, { secret: 'secret-2', lastSeq: 2 })
  })

  it('falls back to the token when the secret is refused', async () => {
    const it = await online({ token: () => 'T' })
    const seen = states(it)
    FakeSocket.last.cut()
    await clock.pass(1000)
    FakeSocket.last.open()
    FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code: 'not-authorized', message: 'stale' })
    await settle()
    FakeSocket.last.welcome()
    assert.equal(FakeSocket.last.hello.token, 'T')
    assert.equal(it.state, 'online')
    assert.deepEqual(seen, ['reconnecting', 'online'])
  })

  it('is the end when the secret is refused and the token, which is no function, has expired', async () => {
    const it = await online()
    const seen = []
    it.addEventListener('connection', ({ detail }) => seen.push([detail.state, detail.error?.code]))
    FakeSocket.last.cut()
    await clock.pass(1000)
    for (const code of ['not-authorized', 'token-expired']) {
      FakeSocket.last.open()
      FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code, message: 'late' })
      await settle()
    }
    assert.deepEqual(FakeSocket.all.map(({ hello }) => [hello.resume?.secret, hello.token]), [[undefined, 'T'], ['secret-1', undefined], [undefined, 'T']])
    assert.deepEqual(seen, [['reconnecting', 'offline'], ['offline', 'token-expired']])
    assert.equal(clock.timers.size, 0)
  })

  it('is the end when the secret is refused and there is nothing else', async () => {
    const it = await online({ resume: { secret: 's', lastSeq: 7 } })
    assert.deepEqual(FakeSocket.last.hello.resume, { secret: 's', lastSeq: 7 })
    const pending = it.request('history')
    FakeSocket.last.cut()
    await clock.pass(1000)
    FakeSocket.last.open()
    FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code: 'not-authorized', message: 'late' })
    await assert.rejects(pending, { code: 'not-authorized' })
    assert.equal(it.state, 'offline')
    assert.equal(it.resume, null)
  })
})

it('that is revoked is the end, whatever else says who we are', async () => {
  const it = await online({ device: 'D' })
  assert.equal(FakeSocket.last.hello.device, 'D')
  const seen = []
  it.addEventListener('connection', ({ detail }) => seen.push([detail.state, detail.error?.code]))
  const asked = it.request('devices')
  FakeSocket.last.say({ type: 'devices', id: FakeSocket.last.of('devices')[0].id, devices: [1] })
  assert.deepEqual((await asked).devices, [1])
  FakeSocket.last.onclose({ code: 4002 })
  await clock.pass(20_000)
  assert.deepEqual(seen, [['offline', 'not-authorized']])
  assert.equal(it.resume, null)
})

describe('a dead or slow socket', () => {
  it('is pinged with the last seq, and confirms at least every 16 events', async () => {
    await online()
    const socket = FakeSocket.last
    await clock.pass(10_000)
    assert.deepEqual(socket.of('ping').map(({ seq }) => seq), [0])
    for (let seq = 1; seq <= 33; seq++) socket.say({ type: 'state', seq, call: 'c' })
    assert.deepEqual(socket.of('ping').map(({ seq }) => seq), [0, 16, 32])
  })

  it('is looked at when somebody doubts it, and given up when no pong comes', async () => {
    const it = await online()
    const seen = states(it)
    const socket = FakeSocket.last
    it.check()
    assert.equal(socket.of('ping').length, 1)
    socket.say({ type: 'pong', id: socket.of('ping')[0].id })
    await clock.pass(5001)
    assert.deepEqual(seen, [])
    it.check()
    await clock.pass(5001)
    assert.deepEqual([seen, socket.closed], [['reconnecting'], true])
  })

  it('is given up when no pong comes within 5 s', async () => {
    const it = await online()
    const socket = FakeSocket.last
    await clock.pass(10_000)
    socket.say({ type: 'pong', id: socket.of('ping')[0].id })
    await clock.pass(10_000)
    assert.equal(it.state, 'online')
    await clock.pass(5000)
    assert.equal(it.state, 'reconnecting')
    assert.ok(socket.closed)
    socket.say({ type: 'state', seq: 5, call: 'c' }) // nobody listens to it any more
    assert.equal(it.resume.lastSeq, 0)
  })

  for (const [visibilityState, expected] of [['visible', [1, 2, 2.5, 2.5, 2.5]], ['hidden', [1, 2, 4, 8, 10, 10, 10]]]) {
    it(`is tried again less and less often, sooner if somebody looks: ${visibilityState}`, async () => {
      globalThis.document = Object.assign(new EventTarget(), { visibilityState })
      const it = await online()
      const waits = []
      it.addEventListener('connection', ({ detail }) => waits.push(detail.retryIn))
      for (const wait of expected) {
        FakeSocket.last.cut()
        await settle()
        await clock.pass(wait * 1000)
      }
      assert.deepEqual(waits, expected)
      clock.random = () => 0
      const hurried = new Signalling('ws://h/ws', { token: 'T' }, {}, clock)
      hurried.addEventListener('connection', ({ detail }) => waits.push(detail.retryIn))
      hurried.open()
      await settle()
      FakeSocket.last.cut()
      await settle()
      assert.equal(waits.at(-1), 0.5)
    })
  }

  it('that says rubbish, or an unknown type, does no harm', async () => {
    const it = await online()
    FakeSocket.last.onmessage({ data: '{' })
    FakeSocket.last.say({ type: 'news-of-tomorrow' })
    FakeSocket.last.say({ type: 'ack', id: 'nobody' })
    assert.equal(it.state, 'online')
  })
})

describe('waking up', () => {
  const hidden = (state) => Object.assign(globalThis.document ??= new EventTarget(), { visibilityState: state })

  it('reconnects at once when the page is looked at again, not while it is hidden', async () => {
    hidden('hidden')
    const it = await online()
    for (let round = 0; round < 5; round++) {
      FakeSocket.last.cut()
      await clock.pass(9_999)
    }
    const count = FakeSocket.all.length
    FakeSocket.last.cut()
    await settle()
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    assert.equal(FakeSocket.all.length, count)
    hidden('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    assert.equal(FakeSocket.all.length, count + 1)
    FakeSocket.last.welcome({ resumed: true })
    assert.equal(it.state, 'online')
  })

  it('reconnects at once on a new network, also where an attempt hangs in the old one, and begins its waits anew', async () => {
    const it = await online()
    FakeSocket.last.cut()
    await clock.pass(1000)
    const hangs = FakeSocket.last
    page.dispatchEvent(new Event('online'))
    await settle()
    assert.notEqual(FakeSocket.last, hangs)
    assert.ok(hangs.closed)
    const waits = []
    it.addEventListener('connection', ({ detail }) => waits.push(detail.retryIn))
    FakeSocket.last.cut()
    await settle()
    assert.deepEqual(waits, [1])
  })

  it('finds a socket that died in its sleep within 5 s: timers jump, nothing is closed', async () => {
    const it = await online()
    clock.now += 3_600_000
    page.dispatchEvent(new Event('online'))
    assert.equal(FakeSocket.last.of('ping').length, 1)
    await clock.pass(5000)
    assert.equal(it.state, 'reconnecting')
    await clock.pass(1000)
    FakeSocket.last.welcome({ resumed: false, seq: 0 })
    assert.equal(it.state, 'online')
  })
})

it('a client that is older than the bridge fails with bad-version, whatever else it could try', async () => {
  let asked = 0
  const it = link({ token: () => `T${++asked}` })
  const opened = it.open()
  await settle()
  FakeSocket.last.open()
  FakeSocket.last.say({ type: 'error', id: FakeSocket.last.hello.id, code: 'bad-version', message: 'this server speaks version 2' })
  await assert.rejects(opened, { code: 'bad-version', message: 'this server speaks version 2' })
  await clock.pass(60_000)
  assert.deepEqual([it.state, asked, FakeSocket.all.length, clock.timers.size], ['offline', 1, 1, 0])
})

it('close() says bye, rejects what waits, and leaves no timer', async () => {
  const it = await online()
  const waiting = it.request('history')
  it.close()
  await assert.rejects(waiting, { code: 'closed' })
  await assert.rejects(it.request('history'), { code: 'closed' })
  assert.equal(FakeSocket.last.sent.at(-1).type, 'bye')
  assert.equal(clock.timers.size, 0)
  assert.ok(FakeSocket.last.closed)
})

describe('a check of the socket', () => {
  it('asks also in a hidden page, and asking again is no excuse for a dead one', async () => {
    const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' })
    Object.assign(globalThis, { document })
    try {
      const it = await online()
      const sockets = FakeSocket.all.length
      it.check()
      assert.equal(FakeSocket.last.of('ping').length, 1)
      for (let i = 0; i < 3; i++) {
        await clock.pass(2000)
        it.check()
      }
      assert.equal(it.state, 'reconnecting', 'nothing was heard for 5 s')
      assert.ok(FakeSocket.all.length >= sockets)
    } finally {
      Reflect.deleteProperty(globalThis, 'document')
    }
  })
})
