import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'

import { Lifeline } from '../../../client/lifeline.js'
import { FakeClock, FakePeerConnection, install, page, settle } from './fakes.mjs'

let clock
let link
let peer
let network
beforeEach(() => {
  install()
  network = new EventTarget()
  globalThis.navigator.connection = network
  clock = new FakeClock()
  link = Object.assign(new EventTarget(), { state: 'online', limits: { resume: 120 }, sent: [], checks: [] })
  link.request = async (type, fields) => { link.sent.push({ type, ...fields }) }
  link.check = () => link.checks.push(clock.now)
  link.become = (state) => {
    link.state = state
    link.dispatchEvent(new Event('connection'))
  }
  peer = { connection: new FakePeerConnection({}), restarts: [] }
  peer.restart = async () => { peer.restarts.push(clock.now) }
})

/** A call that is up. */
async function up({ direction = 'out', restart = true } = {}) {
  const call = { id: 'c', direction, ended: false, abilities: { restart } }
  const lost = []
  const line = new Lifeline(link, call, peer, () => lost.push(clock.now), clock)
  const become = (state) => {
    peer.connection.connectionState = state
    line.changed(state)
  }
  become('connecting')
  become('connected')
  await settle()
  return { line, lost, become, call }
}

describe('media that is lost', () => {
  it('and found again by itself: nothing is done', async () => {
    const { become, lost } = await up()
    become('disconnected')
    await clock.pass(1900)
    become('connected')
    await clock.pass(600_000)
    assert.deepEqual([peer.restarts, lost, link.checks], [[], [], [0]])
  })

  for (const [direction, first] of [['out', 2000], ['in', 4000]]) {
    it(`another way is looked for, again and again (${direction})`, async () => {
      const { become, lost } = await up({ direction })
      become('disconnected')
      await clock.pass(5000)
      become('failed')
      await clock.pass(20_000 - clock.now)
      assert.deepEqual(peer.restarts, [first, first + 8000, first + 16_000].filter((at) => at <= 20_000))
      become('connecting')
      become('connected')
      await clock.pass(600_000)
      assert.deepEqual([peer.restarts.filter((at) => at > 20_000), lost], [[], []])
    })
  }

  it('for as long as a session can be resumed', async () => {
    const { line, become, lost } = await up()
    become('failed')
    await clock.pass(121_000)
    assert.deepEqual([lost, peer.restarts.length], [[120_000], 15])
    line.close()
    await clock.pass(60_000)
    assert.equal(peer.restarts.length, 15)
  })

  it('while the bridge is away it waits for that, for a restart needs words', async () => {
    const { become, lost } = await up()
    link.become('reconnecting')
    become('disconnected')
    await clock.pass(30_000)
    assert.deepEqual(peer.restarts, [])
    link.become('online')
    assert.deepEqual(peer.restarts, [30_000])
    become('connected')
    link.become('reconnecting')
    link.become('online')
    assert.deepEqual([peer.restarts, lost], [[30_000], []])
  })

  it('what the other side says is given time', async () => {
    const { line, become } = await up()
    become('disconnected')
    await clock.pass(1900)
    line.heard()
    await clock.pass(7900)
    assert.deepEqual(peer.restarts, [])
    await clock.pass(200)
    assert.deepEqual([peer.restarts.length, line.restarting], [1, true])
    line.heard()
    assert.equal(line.restarting, false)
  })

  it('ends the call at once when the other side cannot restart, or it never was up', async () => {
    const { become, lost } = await up({ restart: false })
    become('disconnected')
    network.dispatchEvent(new Event('change'))
    await clock.pass(20_000)
    assert.deepEqual([lost, peer.restarts], [[], []])
    become('failed')
    assert.deepEqual(lost, [20_000])
    const never = []
    new Lifeline(link, { direction: 'out', abilities: { restart: true } }, peer, () => never.push(1), clock).changed('failed')
    assert.deepEqual(never, [1])
  })
})

describe('another network', () => {
  const changes = async () => {
    network.dispatchEvent(new Event('change'))
    page.dispatchEvent(new Event('online'))
    network.dispatchEvent(new Event('change'))
    await clock.pass(60_000)
  }

  it('is a restart, one for all signs of it, when nothing comes any more', async () => {
    const { line } = await up()
    await changes()
    assert.deepEqual([peer.restarts, link.checks], [[2000], [500]])
    line.close()
    await changes()
    assert.deepEqual(peer.restarts, [2000])
  })

  it('is none while media still flows, nor before the call is up', async () => {
    new Lifeline(link, { direction: 'out', abilities: { restart: true } }, peer, () => {}, clock)
    await changes()
    let bytes = 0
    peer.connection.getStats = async () => new Map([['a', { type: 'inbound-rtp', bytesReceived: bytes++ }]])
    await up()
    await changes()
    assert.deepEqual(peer.restarts, [])
  })
})

describe('a restart that was negotiated', () => {
  const answers = (line, ufrag) => {
    peer.connection.currentRemoteDescription = { sdp: `v=0\r\na=ice-ufrag:${ufrag}\r\n` }
    line.agreed()
  }

  it('is made again when nothing comes of it, but once only', async () => {
    peer.connection.currentRemoteDescription = { sdp: 'a=ice-ufrag:one' }
    const { line } = await up()
    answers(line, 'two')
    await clock.pass(20_000)
    assert.deepEqual(peer.restarts, [4500])
    answers(line, 'three')
    await clock.pass(20_000)
    assert.equal(peer.restarts.length, 1)
  })

  it('is left alone when media flows; and so is what restarts nothing', async () => {
    let bytes = 0
    const { line } = await up()
    answers(line, 'one')
    peer.connection.getStats = async () => new Map([['a', { type: 'inbound-rtp', bytesReceived: bytes++ }]])
    await clock.pass(20_000)
    peer.connection.getStats = async () => new Map()
    answers(line, 'one')
    await clock.pass(20_000)
    assert.deepEqual(peer.restarts, [])
  })
})

it('what the browser counts is told a second after the start, then every ten', async () => {
  const { line } = await up()
  const before = link.sent.length
  await clock.pass(31_000)
  assert.equal(link.sent.length - before, 4)
  line.close()
})
