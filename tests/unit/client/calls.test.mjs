import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'

import { connect, socketUrl } from '../../../client/jinglebridge.js'
import { devices, FakePeerConnection, FakeSocket, FakeStream, FakeTrack, install, page, refusal, settle, sketch } from './fakes.mjs'

const NONE = { bundle: false, restart: false, add: false, modify: false }
const AV = { audio: true, video: true }

let socket
let bridge
let seq
beforeEach(async () => {
  install()
  seq = 0
  const connecting = connect({ url: 'wss://h/ws', token: 'T' })
  await settle()
  socket = FakeSocket.last
  socket.welcome({ contacts: [{ jid: 'bob@x', name: 'Bob' }] })
  bridge = await connecting
})
afterEach(() => bridge.close())

const event = (fields) => socket.say({ seq: ++seq, ...fields })
const ack = (frame) => socket.say({ type: 'ack', id: frame.id })

/** For what takes real time; in vain after 20 s, as the next assertion then says. */
async function until(done) {
  for (const end = Date.now() + 20_000; !done() && Date.now() < end;) await new Promise((next) => setTimeout(next, 20))
}

/** Answers the `ice` request that waits. */
async function giveIce() {
  await settle()
  const { id } = socket.of('ice').at(-1)
  socket.say({ type: 'ice', id, iceServers: [{ urls: ['stun:s'] }], iceTransportPolicy: 'relay', expires: 60 })
  ack({ id })
  await settle()
}

async function outgoing(wanted = { video: true }) {
  const call = bridge.call('bob@x', wanted)
  const ends = []
  call.addEventListener('ended', ({ detail }) => ends.push(detail))
  await giveIce()
  return { call, ends, pc: FakePeerConnection.all.at(-1) }
}

async function incoming(media = AV) {
  const got = []
  bridge.addEventListener('incoming', ({ detail }) => got.push(detail))
  event({ type: 'incoming', call: 'in1', from: 'eve@x/phone', name: 'Eve', media, abilities: NONE })
  return got[0]
}

async function accepted(wanted, media = AV) {
  const call = await incoming(media)
  const accepting = call.accept(wanted)
  await giveIce()
  ack(socket.of('accept')[0])
  await accepting
  event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: media.video ? 'audio video' : 'audio' } })
  await settle()
  return { call, pc: FakePeerConnection.all.at(-1) }
}

describe('a call that we make', () => {
  it('asks for ICE servers before there is a peer connection, then sends the offer', async () => {
    const call = bridge.call('bob@x', { video: true })
    await settle()
    assert.equal(FakePeerConnection.all.length, 0)
    assert.deepEqual([call.state, call.name, call.peer], ['preparing', 'Bob', 'bob@x'])
    await giveIce()
    const pc = FakePeerConnection.all[0]
    assert.deepEqual(pc.config, { iceServers: [{ urls: ['stun:s'] }], iceTransportPolicy: 'relay', bundlePolicy: 'balanced', rtcpMuxPolicy: 'require' })
    const [frame] = socket.of('call')
    assert.deepEqual([frame.call, frame.to, frame.description.type], [call.id, 'bob@x', 'offer'])
    assert.equal(sketch(frame.description.sdp), 'audio sendrecv\nvideo sendrecv')
    assert.equal(call.state, 'calling')
    assert.equal(call.peerConnection, pc)
  })

  it('trickles, keeps early candidates until the answer, and becomes connected', async () => {
    const { call, pc } = await outgoing()
    const states = []
    call.addEventListener('state', ({ detail }) => states.push(detail.state))
    pc.onicecandidate({ candidate: { toJSON: () => ({ candidate: 'c1', sdpMid: '0' }) } })
    pc.onicecandidate({ candidate: null })
    assert.deepEqual(socket.of('candidate').map(({ candidate }) => candidate), [{ candidate: 'c1', sdpMid: '0' }, null])
    event({ type: 'state', call: call.id, state: 'ringing', abilities: NONE })
    event({ type: 'candidate', call: call.id, candidate: { candidate: 'r1', sdpMid: '0' } })
    event({ type: 'candidate', call: call.id, candidate: { candidate: '', sdpMid: '0' } })
    event({ type: 'state', call: call.id, state: 'accepted', abilities: { ...NONE, bundle: true } })
    await settle()
    assert.equal(pc.candidates.length, 0)
    event({ type: 'description', call: call.id, description: { type: 'answer', sdp: 'x' } })
    event({ type: 'candidate', call: call.id, candidate: null })
    await settle()
    assert.deepEqual(pc.candidates, [{ candidate: 'r1', sdpMid: '0' }, { candidate: '', sdpMid: '0' }, undefined])
    pc.become('connecting')
    event({ type: 'state', call: call.id, state: 'ringing', abilities: NONE }) // late
    assert.equal(call.state, 'connecting')
    pc.become('connected')
    await settle()
    assert.equal(call.state, 'connected')
    assert.deepEqual(socket.of('stats').map(({ connectionState }) => connectionState), ['connecting', 'connected'])
    call.hangUp()
    assert.deepEqual(states, ['ringing', 'accepted', 'connecting', 'connected', 'ended'])
  })

  it('tells a second after it is connected what media it got, and by which way', async () => {
    const { call, pc } = await outgoing()
    pc.getStats = async () => new Map(Object.entries({
      audio: { type: 'inbound-rtp', bytesReceived: 70 },
      video: { type: 'inbound-rtp', bytesReceived: 7 },
      path: { type: 'candidate-pair', state: 'succeeded', nominated: true, bytesReceived: 100, bytesSent: 50, localCandidateId: 'l', remoteCandidateId: 'r' },
      other: { type: 'candidate-pair', state: 'succeeded', nominated: false, bytesReceived: 1000 },
      before: { type: 'candidate-pair', state: 'succeeded', nominated: true, bytesReceived: 30, bytesSent: 5, localCandidateId: 'r', remoteCandidateId: 'r' },
      l: { type: 'local-candidate', candidateType: 'relay' },
      r: { type: 'remote-candidate', candidateType: 'host' },
    }))
    pc.become('connected')
    await settle()
    assert.equal(socket.of('stats').length, 1)
    await until(() => socket.of('stats').length > 1)
    const { id: _, ...frame } = socket.of('stats')[1]
    assert.deepEqual(frame, {
      type: 'stats', call: call.id, connectionState: 'connected', bytesReceived: 130, bytesSent: 55, mediaReceived: 77, relayed: true,
    })
    const stats = await pc.getStats()
    pc.getStats = async () => new Map([...stats, ['transport', { type: 'transport', selectedCandidatePairId: 'before' }]])
    pc.become('connected')
    await settle()
    assert.deepEqual(socket.of('stats').map(({ relayed }) => relayed), [true, true, false])
    call.hangUp()
  })

  it('asks for pictures only when there is no camera', async () => {
    devices.video = refusal('NotFoundError')
    const problems = []
    const call = bridge.call('bob@x', { video: true })
    call.addEventListener('problem', ({ detail }) => problems.push(detail.code))
    await giveIce()
    assert.equal(sketch(socket.of('call')[0].description.sdp), 'audio sendrecv\nvideo recvonly')
    assert.deepEqual(problems, ['camera-missing'])
  })

  it('ends with microphone-refused, and never gets to the bridge', async () => {
    devices.audio = refusal('NotAllowedError')
    const { call } = await outgoing({})
    assert.deepEqual([call.state, call.reason, call.error.code], ['ended', 'failed-media', 'microphone-refused'])
    assert.deepEqual(socket.of('call').concat(socket.of('hangup')), [])
    assert.deepEqual(bridge.calls, [])
  })

  it('can listen only', async () => {
    devices.audio = refusal('NotAllowedError')
    await outgoing({ audio: false })
    assert.equal(sketch(socket.of('call')[0].description.sdp), 'audio recvonly')
  })

  for (const [code, reason] of [['forbidden', 'unreachable'], ['rate-limited', 'overload'], ['bad-description', 'failed-media'], ['internal', 'failed']]) {
    it(`ends as ${reason} when the bridge answers ${code}`, async () => {
      const { ends } = await outgoing()
      socket.say({ type: 'error', id: socket.of('call')[0].id, code, message: 'because' })
      await settle()
      assert.deepEqual([ends[0].reason, ends[0].text, ends[0].error.code], [reason, 'because', code])
    })
  }

  it('is cancelled before the answer and ended after it; the microphone is closed', async () => {
    const one = await outgoing()
    const tracks = one.call.localStream.getTracks()
    one.call.hangUp()
    assert.deepEqual([one.ends[0].reason, socket.of('hangup')[0].reason], ['cancelled', 'ended'])
    assert.deepEqual(tracks.map(({ readyState }) => readyState), ['ended', 'ended'])
    assert.equal(one.pc.connectionState, 'closed')
    const two = await outgoing()
    event({ type: 'state', call: two.call.id, state: 'accepted', abilities: NONE })
    two.call.hangUp()
    two.call.hangUp()
    assert.equal(two.ends[0].reason, 'ended')
    assert.equal(socket.of('hangup').length, 2)
  })

  it('hung up while the microphone is asked for is never sent', async () => {
    const call = bridge.call('bob@x')
    call.hangUp()
    await giveIce()
    assert.deepEqual([call.reason, socket.of('call').length, socket.of('hangup').length], ['cancelled', 0, 0])
    assert.ok(call.localStream.getTracks().every(({ readyState }) => readyState === 'ended'))
  })

  it('ends with failed-ice when the connection fails, and with failed-media on a bad answer', async () => {
    const one = await outgoing()
    one.pc.become('failed')
    assert.deepEqual([one.ends[0].reason, socket.of('hangup')[0].reason], ['failed-ice', 'failed-ice'])
    const two = await outgoing()
    event({ type: 'description', call: two.call.id, description: { type: 'answer', sdp: 'bad' } })
    await settle()
    assert.deepEqual([two.ends[0].reason, socket.of('hangup')[1].reason], ['failed-media', 'failed-media'])
  })

  it('ends with what the bridge says', async () => {
    const { ends } = await outgoing()
    event({ type: 'ended', call: socket.of('call')[0].call, reason: 'busy', text: 'on the phone' })
    assert.deepEqual(ends, [{ reason: 'busy', text: 'on the phone', error: null }])
    assert.equal(socket.of('hangup').length, 0)
  })

  it('has a remote stream when there are tracks, a new one for each', async () => {
    const { call } = await outgoing()
    const seen = []
    call.addEventListener('streams', () => seen.push(call.remoteStream))
    assert.equal(call.remoteStream, null)
    event({ type: 'description', call: call.id, description: { type: 'answer', sdp: 'x' } })
    await settle()
    assert.deepEqual(seen.map((stream) => stream.getTracks().map(({ kind }) => kind)), [['audio'], ['audio', 'video']])
    assert.notEqual(seen[0], seen[1])
  })

  it('is ended by its AbortSignal, before and after it is sent', async () => {
    const early = bridge.call('bob@x', { signal: AbortSignal.abort() })
    await settle()
    assert.deepEqual([early.reason, socket.of('ice'), socket.of('call')], ['cancelled', [], []])
    const stop = new AbortController()
    const { call, ends } = await outgoing({ signal: stop.signal })
    stop.abort()
    assert.deepEqual([ends.map(({ reason }) => reason), socket.of('hangup').map(({ call }) => call)], [['cancelled'], [call.id]])
  })

  it('leaves a stream of the application alone', async () => {
    const stream = new FakeStream()
    const { call } = await outgoing({ stream })
    assert.equal(call.localStream, stream)
  })
})

describe('a call that we get', () => {
  it('is accepted first; the answer follows the offer', async () => {
    const { call, pc } = await accepted({ audio: true, video: true })
    assert.deepEqual(socket.sent.map(({ type }) => type).filter((type) => type !== 'hello'), ['ice', 'accept', 'description'])
    assert.deepEqual(pc.transceivers.map(({ direction, sender }) => [direction, sender.track?.kind]), [['sendrecv', 'audio'], ['sendrecv', 'video']])
    const [{ description }] = socket.of('description')
    assert.deepEqual([description.type, sketch(description.sdp)], ['answer', 'audio sendrecv\nvideo sendrecv'])
    assert.deepEqual([call.direction, call.peer, call.name, call.media], ['in', 'eve@x/phone', 'Eve', AV])
  })

  it('J-089: takes video without a camera as recvonly instead of refusing it', async () => {
    devices.video = refusal('NotReadableError')
    const { pc } = await accepted({ video: true })
    assert.deepEqual(pc.transceivers.map(({ direction }) => direction), ['sendrecv', 'recvonly'])
  })

  it('J-089: the same when only sound is wanted', async () => {
    const { pc, call } = await accepted()
    assert.deepEqual(pc.transceivers.map(({ direction }) => direction), ['sendrecv', 'recvonly'])
    await assert.rejects(call.camera(true), { code: 'not-supported' })
  })

  it('opens no camera for a call without video', async () => {
    const { call } = await accepted({ video: true }, { audio: true, video: false })
    assert.deepEqual(call.localStream.getTracks().map(({ kind }) => kind), ['audio'])
  })

  it('goes on ringing when the microphone is refused, and can be accepted again', async () => {
    const call = await incoming()
    devices.audio = refusal('NotAllowedError')
    await assert.rejects(call.accept(), { code: 'microphone-refused' })
    assert.equal(call.state, 'incoming')
    assert.equal(socket.of('accept').length, 0)
    devices.audio = null
    const again = call.accept()
    await giveIce()
    ack(socket.of('accept')[0])
    await again
  })

  it('an AbortSignal stops accepting, or hangs up later', async () => {
    const call = await incoming()
    await assert.rejects(call.accept({ signal: AbortSignal.abort() }), { name: 'AbortError' })
    assert.equal(call.state, 'incoming')
    const stop = new AbortController()
    const accepting = assert.rejects(call.accept({ signal: stop.signal }), { name: 'AbortError' })
    stop.abort()
    await giveIce()
    await accepting
    assert.deepEqual([call.reason, socket.of('accept'), socket.of('reject').length], ['declined', [], 1])
  })

  it('and one that is up', async () => {
    const stop = new AbortController()
    const { call, pc } = await accepted({ signal: stop.signal })
    pc.become('connected')
    stop.abort()
    assert.deepEqual([call.reason, socket.of('hangup').length], ['ended', 1])
  })

  it('ends while we accept: nothing is accepted', async () => {
    const call = await incoming()
    const accepting = call.accept()
    event({ type: 'ended', call: 'in1', reason: 'cancelled' })
    await giveIce()
    await accepting
    assert.deepEqual([call.state, socket.of('accept').length, FakePeerConnection.all.length], ['ended', 0, 0])
  })

  it('is declined by reject() and by hangUp(), as busy if so', async () => {
    const call = await incoming()
    call.hangUp()
    assert.deepEqual([call.reason, socket.of('reject')[0].busy], ['declined', false])
    event({ type: 'incoming', call: 'in2', from: 'eve@x', name: 'Eve', media: AV, abilities: NONE })
    bridge.calls[0].reject({ busy: true })
    assert.equal(socket.of('reject')[1].busy, true)
  })
})

describe('in a call', () => {
  it('mute and camera stop the track and tell the other side which section', async () => {
    const { call, pc } = await accepted({ video: true })
    const [audio, video] = pc.transceivers
    audio.currentDirection = video.currentDirection = 'sendrecv'
    call.mute()
    assert.equal(call.localStream.getAudioTracks()[0].enabled, false)
    const camera = video.sender.track
    await call.camera(false)
    assert.deepEqual([video.sender.track, camera.readyState, call.cameraOn], [null, 'ended', false])
    await call.camera(true)
    call.mute(false)
    assert.equal(video.sender.track.readyState, 'live')
    const told = socket.of('info').map(({ info, mid }) => [info, mid])
    assert.deepEqual(told, [['mute', audio.mid], ['mute', video.mid], ['unmute', video.mid], ['unmute', audio.mid]])
  })

  it('a mute of the other side is shown by kind', async () => {
    const { call, pc } = await accepted({ video: true })
    const [audio, video] = pc.transceivers
    event({ type: 'info', call: 'in1', info: 'mute', mid: video.mid })
    assert.deepEqual([call.remoteMuted, call.remoteCameraOff], [false, true])
    event({ type: 'info', call: 'in1', info: 'mute', mid: audio.mid })
    event({ type: 'info', call: 'in1', info: 'unmute', mid: null })
    assert.deepEqual([call.remoteMuted, call.remoteCameraOff], [false, false])
  })

  const described = () => socket.of('description').map(({ description }) => [description.type, sketch(description.sdp)])
  const refuse = async (what, index = -1) => {
    socket.say({ type: 'error', id: socket.of('description').at(index).id, code: 'not-negotiable', message: 'no', what })
    await settle()
  }
  const problemsOf = (call) => {
    const problems = []
    call.addEventListener('problem', ({ detail }) => problems.push([detail.code, detail.what]))
    return problems
  }

  it('is polite: an offer of the bridge is taken although ours is out, and ours is made again', async () => {
    const { call, pc } = await accepted({ video: true })
    const problems = problemsOf(call)
    pc.restartIce()
    await pc.onnegotiationneeded()
    assert.equal(pc.signalingState, 'have-local-offer')
    event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    await refuse(undefined, 1) // the offer that is no more
    assert.deepEqual([pc.signalingState, problems, call.ended], ['stable', [], false])
    pc.restartIce() // a real one still wants it
    await pc.onnegotiationneeded()
    assert.deepEqual(described().map(([type]) => type), ['answer', 'offer', 'answer', 'offer'])
  })

  it('drops an answer to an offer that was taken back', async () => {
    const { call, pc } = await accepted({ video: true })
    event({ type: 'description', call: 'in1', description: { type: 'answer', sdp: 'late' } })
    await settle()
    assert.deepEqual([call.ended, pc.remoteDescription.type], [false, 'offer'])
  })

  it('makes no offer that changes nothing', async () => {
    const { pc } = await accepted({ video: true })
    await pc.onnegotiationneeded()
    assert.deepEqual([pc.signalingState, described().length], ['stable', 1])
  })

  for (const way of ['error', 'rollback']) {
    it(`takes an offer back that the peer does not take, and goes on (${way})`, async () => {
      const { call, pc } = await accepted({})
      const problems = problemsOf(call)
      call.abilities.modify = true
      await call.camera(true)
      const camera = pc.transceivers[1].sender.track
      assert.deepEqual([call.cameraOn, described().at(-1)], [true, ['offer', 'audio sendrecv\nvideo sendrecv']])
      if (way === 'error') await refuse('direction')
      else event({ type: 'rollback', call: 'in1', what: 'direction' })
      await settle()
      assert.deepEqual([pc.signalingState, pc.transceivers[1].direction, call.ended], ['stable', 'recvonly', false])
      assert.deepEqual([call.cameraOn, camera.readyState, pc.transceivers[1].sender.track], [false, 'ended', null])
      assert.deepEqual(problems, [['not-negotiable', 'direction']])
      event({ type: 'rollback', call: 'in1', what: 'direction' }) // there is nothing to take back any more
      await settle()
      assert.equal(problems.length, 1)
    })
  }

  it('does not offer again what was refused and cannot be undone, but other changes', async () => {
    const { call, pc } = await accepted({ video: true })
    const problems = problemsOf(call)
    pc.restartIce()
    await pc.onnegotiationneeded()
    await refuse('ice-restart')
    pc.restartIce() // the browser still wants it
    await pc.onnegotiationneeded()
    assert.deepEqual([pc.signalingState, described().length, problems], ['stable', 2, [['not-negotiable', 'ice-restart']]])
    pc.transceivers[1].currentDirection = 'sendrecv'
    await call.camera(false) // is no change for the other side
    assert.equal(described().length, 2)
    pc.transceivers[1].direction = 'inactive'
    await pc.onnegotiationneeded()
    assert.deepEqual(described().at(-1), ['offer', 'audio sendrecv\nvideo inactive'])
  })

  it('adds video to a call without it where the peer takes that', async () => {
    const { call, pc } = await accepted({}, { audio: true, video: false })
    await assert.rejects(call.camera(true), { code: 'not-supported' })
    call.abilities.add = true
    await call.camera(true)
    assert.deepEqual(described().at(-1), ['offer', 'audio sendrecv\nvideo sendrecv'])
    event({ type: 'description', call: 'in1', description: { type: 'answer', sdp: 'yes' } })
    await settle()
    assert.deepEqual([call.cameraOn, pc.transceivers[1].direction], [true, 'sendrecv'])
  })

  it('and is without it again when the peer refuses', async () => {
    const { call, pc } = await accepted({}, { audio: true, video: false })
    call.abilities.add = true
    await call.camera(true)
    await refuse('add')
    assert.deepEqual([call.cameraOn, pc.transceivers[1].direction], [false, 'stopped'])
    await pc.onnegotiationneeded()
    assert.equal(described().length, 2)
    await call.camera(true) // the person asks again, and so do we
    assert.deepEqual([described().length, described().at(-1)[0], call.cameraOn], [3, 'offer', true])
  })

  it('a section that the peer stops takes its track away', async () => {
    const { call, pc } = await accepted({ video: true })
    const seen = []
    const problems = problemsOf(call)
    call.addEventListener('streams', () => seen.push([...call.remoteStream.getTracks().map(({ kind }) => kind), call.cameraOn]))
    const [camera] = call.localStream.getVideoTracks()
    pc.stopping = pc.transceivers[1]
    event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    assert.deepEqual(seen, [['audio', true], ['audio', false]])
    // and nobody sees our camera any more
    assert.deepEqual([camera.readyState, call.cameraOn, problems], ['ended', false, [['camera-unwanted', undefined]]])
  })

  it('one that we stop turns the camera off, which is no problem', async () => {
    const { call, pc } = await accepted({ video: true })
    const problems = problemsOf(call)
    pc.transceivers[1].stop()
    await pc.onnegotiationneeded()
    event({ type: 'description', call: 'in1', description: { type: 'answer', sdp: 'yes' } })
    await settle()
    assert.deepEqual([described().at(-1)[0], call.cameraOn, problems], ['offer', false, []])
  })

  it('video can be started where it can do something, as the abilities say', async () => {
    const { call, pc } = await accepted({}, { audio: true, video: false })
    const told = []
    call.addEventListener('abilities', () => told.push(call.cameraPossible))
    const able = (abilities) => event({ type: 'state', call: 'in1', state: 'connecting', abilities: { ...NONE, ...abilities } })
    able({ modify: true })
    able({ add: true })
    assert.deepEqual(told, [false, true])
    await call.camera(true)
    event({ type: 'description', call: 'in1', description: { type: 'answer', sdp: 'yes' } })
    await settle()
    pc.transceivers[1].currentDirection = 'sendrecv'
    able({})
    await call.camera(false)
    assert.equal(call.cameraPossible, true) // in the section that is there
    pc.transceivers[1].currentDirection = 'recvonly'
    assert.equal(call.cameraPossible, false)
    able({ modify: true })
    assert.equal(call.cameraPossible, true)
  })
})

describe('hold, keys, devices and screen', () => {
  const talking = async (abilities = {}, wanted = { video: true }, media = AV) => {
    const { call, pc } = await accepted(wanted, media)
    pc.become('connected')
    for (const transceiver of pc.transceivers) transceiver.currentDirection = transceiver.direction
    event({ type: 'state', call: 'in1', state: 'connecting', abilities: { ...NONE, ...abilities } })
    const problems = []
    const holds = []
    call.addEventListener('problem', ({ detail }) => problems.push(detail.code))
    call.addEventListener('hold', ({ detail }) => holds.push([detail.held, detail.remoteHeld]))
    return { call, pc, problems, holds }
  }
  const enabled = (stream) => stream.getTracks().map((track) => track.enabled)
  const infos = () => socket.of('info').map(({ info }) => info)
  const offers = () => socket.of('description').filter(({ description }) => description.type === 'offer').map(({ description }) => sketch(description.sdp))
  /** Of each offer: does it say that its picture, and nothing else, is a screen? */
  const slides = () => socket.of('description').filter(({ description }) => description.type === 'offer')
    .map(({ description }) => /^m=audio(?:(?!content)[^])*m=video[^]*\na=mid:\w+\na=content:slides\r/.test(description.sdp))
  const answer = async () => {
    event({ type: 'description', call: 'in1', description: { type: 'answer', sdp: 'yes' } })
    await settle()
  }

  it('another network restarts ICE, which nobody asked for: a refusal is no problem', async () => {
    const { call, pc, problems } = await talking({ restart: true })
    page.dispatchEvent(new Event('online'))
    await until(() => offers().length > 0) // after 2 s
    assert.deepEqual([offers().length, pc.ufrag], [1, 'u0x'])
    event({ type: 'rollback', call: 'in1', what: 'ice-restart' })
    await settle()
    assert.deepEqual([problems, call.state, pc.signalingState], [[], 'connected', 'stable'])
    pc.become('disconnected')
    assert.equal(call.state, 'reconnecting')
    call.hangUp()
  })

  it('J-208: holds by directions and by a word, and goes on again', async () => {
    const { call, pc, holds } = await talking({ modify: true }, {})
    await call.hold()
    await call.hold()
    assert.deepEqual([call.held, infos(), offers()], [true, ['hold'], ['audio sendonly\nvideo inactive']])
    assert.deepEqual([enabled(call.localStream), enabled(call.remoteStream)], [[false], [false, false]])
    await answer()
    call.mute()
    await call.hold(false)
    await answer()
    assert.deepEqual([infos(), offers().at(-1)], [['hold', 'mute', 'active'], 'audio sendrecv\nvideo recvonly'])
    assert.deepEqual([enabled(call.localStream), enabled(call.remoteStream)], [[false], [true, true]]) // still muted
    assert.deepEqual([holds, pc.signalingState], [[[true, false], [false, false]], 'stable'])
  })

  it('holds by a word alone where the peer takes no other directions', async () => {
    const { call } = await talking()
    await call.hold()
    assert.deepEqual([infos(), offers(), enabled(call.localStream), enabled(call.remoteStream)], [['hold'], [], [false, false], [false, false]])
  })

  it('what arrives while it is held is not heard or seen before it goes on', async () => {
    const { call } = await talking({}, {}, { audio: true, video: false })
    await call.hold()
    event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    assert.deepEqual(enabled(call.remoteStream), [false, false])
    await call.hold(false)
    assert.deepEqual(enabled(call.remoteStream), [true, true])
  })

  it('a refused direction leaves it held: nothing is heard all the same', async () => {
    const { call, pc, problems } = await talking({ modify: true })
    await call.hold()
    event({ type: 'rollback', call: 'in1', what: 'direction' })
    await settle()
    assert.deepEqual([call.held, call.cameraOn, problems, pc.transceivers.map(({ direction }) => direction)], [true, true, ['not-negotiable'], ['sendrecv', 'sendrecv']])
    await call.hold(false)
    assert.deepEqual([call.held, offers().length, enabled(call.localStream)], [false, 1, [true, true]])
  })

  it('cannot be held before it is up, nor after its end', async () => {
    const { call } = await outgoing()
    await assert.rejects(call.hold(), { code: 'out-of-order' })
    call.hangUp()
    for (const run of [() => call.hold(), () => call.camera(), () => call.shareScreen(), () => call.switchDevice({})]) {
      await assert.rejects(run(), { code: 'out-of-order' })
    }
  })

  it('is held by the word of the other side, or by its directions; both must be over', async () => {
    const { call, pc, holds } = await talking()
    event({ type: 'info', call: 'in1', info: 'hold' })
    assert.deepEqual([call.remoteHeld, enabled(call.localStream), enabled(call.remoteStream)], [true, [false, false], [true, true]])
    for (const transceiver of pc.transceivers) transceiver.currentDirection = 'recvonly'
    event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    assert.equal(call.cameraOn, true)
    await call.camera(false)
    await call.camera(true) // nothing to be negotiated for that
    event({ type: 'info', call: 'in1', info: 'active' })
    assert.deepEqual([call.remoteHeld, offers()], [true, []])
    for (const transceiver of pc.transceivers) transceiver.currentDirection = 'sendrecv'
    event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    assert.deepEqual([call.remoteHeld, enabled(call.localStream), holds], [false, [true, true], [[false, true], [false, false]]])
  })

  it('a held call that goes on as another one is still held, and says so', async () => {
    const { call } = await talking({ modify: true })
    call.addEventListener('moved', () => {})
    await call.hold()
    event({ type: 'incoming', call: 'new', from: 'bob@x', name: 'Bob', media: AV, abilities: { ...NONE, modify: true }, replaces: 'in1' })
    await giveIce()
    event({ type: 'description', call: 'new', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    const [next] = bridge.calls
    FakePeerConnection.all.at(-1).become('connected')
    await settle()
    assert.deepEqual([next.held, enabled(next.localStream), offers().at(-1)], [true, [false, false], 'audio sendonly\nvideo sendonly'])
    assert.deepEqual(socket.of('info').at(-1).call, 'new')
  })

  it('keys are sent where the other side takes them, after those that wait', async () => {
    const { call, pc } = await talking()
    const { dtmf } = pc.transceivers[0].sender
    assert.equal(call.dtmfPossible, false)
    assert.throws(() => call.dtmf('1'), { code: 'not-supported' })
    dtmf.canInsertDTMF = true
    call.dtmf('1')
    call.dtmf('2#')
    assert.deepEqual([call.dtmfPossible, dtmf.toneBuffer], [true, '12#'])
  })

  it('other devices take the place of those before, and nothing is negotiated', async () => {
    const { call, pc } = await talking()
    const before = call.localStream.getTracks()
    call.mute()
    await call.switchDevice({ audioinput: 'mic2', videoinput: 'cam2' })
    const [audio, video] = pc.transceivers.map(({ sender }) => sender.track)
    assert.deepEqual([audio.wanted, video.wanted], [{ deviceId: { exact: 'mic2' } }, { deviceId: { exact: 'cam2' } }])
    assert.deepEqual([call.localStream.getTracks(), before.map(({ readyState }) => readyState)], [[audio, video], ['ended', 'ended']])
    assert.deepEqual([audio.enabled, offers()], [false, []])
    devices.audio = refusal('NotFoundError')
    await assert.rejects(call.switchDevice({ audioinput: 'mic3' }), { code: 'microphone-missing' })
    assert.equal(audio.readyState, 'live')
    call.hangUp()
    assert.deepEqual([audio.readyState, video.readyState], ['ended', 'ended'])
  })

  it('a camera that is off is remembered for later', async () => {
    const { call, pc } = await talking()
    await call.camera(false)
    await call.switchDevice({ videoinput: 'cam2' })
    assert.equal(pc.transceivers[1].sender.track, null)
    await call.camera(true)
    assert.deepEqual(pc.transceivers[1].sender.track.wanted, { deviceId: { exact: 'cam2' } })
  })

  it('a stream of the application is not stopped, what we opened for it is', async () => {
    const stream = new FakeStream([new FakeTrack('audio')])
    const [given] = stream.getTracks()
    const { call } = await talking({}, { stream })
    await call.switchDevice({ audioinput: 'mic2' })
    const [opened] = stream.getTracks()
    call.hangUp()
    assert.deepEqual([given.readyState, opened.readyState], ['live', 'ended'])
  })

  it('an unplugged camera or microphone is a problem, and the call goes on', async () => {
    const { call, pc, problems } = await talking()
    const [microphone, camera] = call.localStream.getTracks()
    camera.unplug()
    microphone.unplug()
    await settle()
    assert.deepEqual([problems, call.cameraOn, pc.transceivers[1].sender.track, infos()], [['camera-lost', 'microphone-lost'], false, null, ['mute']])
    await call.camera(true)
    await call.switchDevice({ audioinput: 'mic2' })
    camera.unplug() // of before
    assert.deepEqual([problems.length, call.ended, pc.transceivers.map(({ sender }) => sender.track.readyState)], [2, false, ['live', 'live']])
  })

  it('a screen takes the place of the camera until the person ends it in the browser', async () => {
    const { call, pc } = await talking()
    const [video] = pc.transceivers.slice(1)
    const camera = video.sender.track
    await call.shareScreen()
    const [screen] = call.screenStream.getTracks()
    assert.deepEqual([call.sharing, video.sender.track, screen.contentHint, call.cameraOn], [true, screen, 'detail', true])
    assert.deepEqual(slides(), [true]) // nothing but that is new
    await answer()
    await call.camera(false)
    assert.deepEqual([video.sender.track, camera.readyState], [screen, 'ended'])
    await call.camera(true)
    screen.unplug()
    await settle()
    assert.deepEqual([call.sharing, video.sender.track, infos()], [false, call.localStream.getVideoTracks()[0], []])
    assert.deepEqual(slides(), [true, false])
  })

  it('that a picture is a screen may be refused: it is shared all the same, and not offered again', async () => {
    const { call, pc, problems } = await talking()
    await call.shareScreen()
    event({ type: 'rollback', call: 'in1', what: 'offer' })
    await settle()
    await pc.onnegotiationneeded()
    assert.deepEqual([call.sharing, problems, slides()], [true, [], [true]])
  })

  it('the other side shares a screen, and does no more', async () => {
    const { call } = await talking()
    const told = []
    call.addEventListener('streams', () => told.push(call.remoteSharing))
    const sections = (content) => `m=audio 9 x\na=sendrecv\r\nm=video 9 x\r\na=mid:1\r\n${content}a=sendrecv\r\n`
    for (const content of ['a=content:slides\r\n', 'a=content:speaker,slides\r\n', 'a=content:slideshow\r\n']) {
      event({ type: 'description', call: 'in1', description: { type: 'offer', sdp: sections(content) } })
      await settle()
    }
    assert.deepEqual(told.filter((is, index) => is !== (told[index - 1] ?? false)), [true, false])
  })

  it('a screen without a camera: another section where the peer takes that, else not-supported', async () => {
    const { call, pc } = await talking({}, {}, { audio: true, video: false })
    assert.equal(call.screenPossible, false)
    await assert.rejects(call.shareScreen(), { code: 'not-supported' })
    call.abilities.add = true
    devices.screen = refusal('NotAllowedError')
    await assert.rejects(call.shareScreen(), { code: 'screen-refused' })
    devices.screen = null
    await call.shareScreen()
    const [screen] = call.screenStream.getTracks()
    assert.deepEqual([offers(), pc.transceivers[1].sender.track], [['audio sendrecv\nvideo sendrecv'], screen])
    assert.deepEqual(slides(), [true])
    await answer()
    pc.transceivers[1].currentDirection = 'sendrecv'
    await call.shareScreen(false)
    assert.deepEqual([pc.transceivers[1].sender.track, screen.readyState, infos()], [null, 'ended', ['unmute', 'mute']])
    await call.shareScreen()
    const [again] = call.screenStream.getTracks()
    call.hangUp()
    assert.deepEqual([again.readyState, call.sharing], ['ended', false])
  })

  it('a screen that the peer refuses is shared no longer', async () => {
    const { call, problems } = await talking({ add: true }, {}, { audio: true, video: false })
    await call.shareScreen()
    const [screen] = call.screenStream.getTracks()
    event({ type: 'rollback', call: 'in1', what: 'add' })
    await settle()
    assert.deepEqual([call.sharing, screen.readyState, problems], [false, 'ended', ['not-negotiable']])
  })
})

describe('a call that goes on as another one', () => {
  /** The bridge says so, and where the old call is known it says next that it ended. */
  const replacing = async (replaces, media = AV) => {
    const rung = []
    bridge.addEventListener('incoming', ({ detail }) => rung.push(detail))
    event({ type: 'incoming', call: 'new', from: 'bob@x', name: 'Bob', media, abilities: { ...NONE, add: true }, replaces })
    event({ type: 'ended', call: replaces, reason: 'moved', text: 'elsewhere' })
    await settle()
    return { rung, next: bridge.calls.find(({ id }) => id === 'new') }
  }
  const watch = (call) => {
    const seen = []
    call.addEventListener('moved', ({ detail }) => seen.push(['moved', detail.id, call.state]))
    call.addEventListener('ended', ({ detail }) => seen.push(['ended', detail.reason]))
    return seen
  }

  it('J-067: crossing calls: nothing rings, the tracks stay, the accept goes out at once', async () => {
    const { call, pc } = await outgoing()
    event({ type: 'state', call: call.id, state: 'proceeding', abilities: NONE })
    const seen = watch(call)
    const tracks = call.localStream.getTracks()
    const { rung, next } = await replacing(call.id)
    assert.deepEqual([rung, seen], [[], [['moved', 'new', 'proceeding'], ['ended', 'moved']]])
    assert.deepEqual([pc.connectionState, next.state, next.direction, next.connectedAt], ['closed', 'accepting', 'in', null])
    await giveIce()
    assert.deepEqual(socket.of('accept').map((frame) => frame.call), ['new'])
    assert.deepEqual(socket.of('hangup').concat(socket.of('reject')), [])
    assert.deepEqual(tracks.map(({ readyState }) => readyState), ['live', 'live'])
    event({ type: 'description', call: 'new', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    const there = FakePeerConnection.all.at(-1)
    assert.notEqual(there, pc)
    assert.deepEqual(there.transceivers.map(({ sender, direction }) => [sender.track, direction]), tracks.map((track) => [track, 'sendrecv']))
    next.hangUp()
    assert.deepEqual(tracks.map(({ readyState }) => readyState), ['ended', 'ended'])
    assert.equal(socket.of('hangup')[0].call, 'new')
  })

  it('J-067: one that lost to a call that rang here before', async () => {
    const rung = []
    bridge.addEventListener('incoming', ({ detail }) => rung.push(detail))
    const call = bridge.call('bob@x', { video: true })
    event({ type: 'incoming', call: 'other', from: 'eve@x/phone', name: 'Eve', media: AV, abilities: NONE })
    event({ type: 'incoming', call: 'theirs', from: 'bob@x/phone', name: 'Bob', media: AV, abilities: NONE })
    const seen = watch(call)
    await giveIce()
    event({ type: 'ended', call: call.id, reason: 'moved', text: '' })
    await giveIce()
    assert.deepEqual(seen, [['moved', 'theirs', 'calling'], ['ended', 'moved']])
    assert.deepEqual(rung.map(({ state }) => state), ['incoming', 'accepting'])
    assert.deepEqual(socket.of('accept').map(({ call }) => call), ['theirs'])
    assert.equal(rung[1].localStream, call.localStream)
  })

  it('J-069: a running call: muted as before, since when as before, and told to the other side again', async () => {
    const { call, pc } = await accepted({ video: true })
    pc.become('connected')
    call.mute()
    const seen = watch(call)
    const { connectedAt } = call
    const { rung, next } = await replacing('in1')
    assert.deepEqual([rung, seen.map(([type]) => type), call.reason], [[], ['moved', 'ended'], 'moved'])
    assert.deepEqual([next.muted, next.connectedAt, next.localStream, next.abilities.add], [true, connectedAt, call.localStream, true])
    await giveIce()
    event({ type: 'description', call: 'new', description: { type: 'offer', sdp: 'audio video' } })
    await settle()
    const there = FakePeerConnection.all.at(-1)
    assert.equal(there.transceivers[0].sender.track.enabled, false)
    there.become('connecting')
    const before = socket.of('info').length
    there.become('connected')
    assert.deepEqual(socket.of('info').slice(before).map((frame) => [frame.call, frame.info, frame.mid]), [['new', 'mute', there.transceivers[0].mid]])
    assert.equal(next.state, 'connected')
  })

  it('one after the other', async () => {
    const { call } = await outgoing()
    const [track] = call.localStream.getTracks()
    watch(call)
    const { next } = await replacing(call.id)
    watch(next)
    event({ type: 'incoming', call: 'third', from: 'bob@x', name: 'Bob', media: AV, abilities: NONE, replaces: 'new' })
    await giveIce()
    assert.deepEqual([next.reason, track.readyState, bridge.calls.map(({ id }) => id)], ['moved', 'live', ['third']])
    assert.deepEqual(socket.of('accept').map((frame) => frame.call), ['third'])
  })

  it('a stream of the application is never ours to stop', async () => {
    const track = Object.assign(new EventTarget(), { kind: 'audio', readyState: 'live', stop() { this.readyState = 'ended' } })
    const { call } = await outgoing({ stream: new FakeStream([track]) })
    watch(call)
    const { next } = await replacing(call.id, { audio: true, video: false })
    await giveIce()
    next.hangUp()
    assert.deepEqual([next.reason, track.readyState], ['ended', 'live'])
  })

  it('an accept that the bridge refuses ends it, and closes the microphone', async () => {
    const { call } = await outgoing()
    watch(call)
    const { next } = await replacing(call.id)
    await giveIce()
    socket.say({ type: 'error', id: socket.of('accept')[0].id, code: 'unknown-call', message: 'gone' })
    await settle()
    assert.deepEqual([next.reason, next.localStream.getTracks()[0].readyState], ['gone', 'ended'])
  })

  it('rings as usual when nobody listens to where it goes, and the microphone is closed', async () => {
    const { call, ends } = await outgoing()
    const { rung, next } = await replacing(call.id)
    assert.deepEqual([rung, next.state, ends[0].reason, call.localStream.getTracks()[0].readyState], [[next], 'incoming', 'moved', 'ended'])
  })

  for (const [what, replaces] of [['a call that is not known', 'nobody'], ['none', null]]) {
    it(`rings as usual when it names ${what}`, async () => {
      const { call, ends } = await outgoing()
      call.addEventListener('moved', ({ detail }) => ends.push(detail))
      const { rung, next } = await replacing(replaces)
      assert.deepEqual([rung, next.state, ends, call.ended], [[next], 'incoming', [], false])
      assert.equal(socket.of('accept').length, 0)
    })
  }
})

describe('after a loss', () => {
  const again = async (fields) => {
    socket.cut()
    page.dispatchEvent(new Event('online')) // the network is back: no waiting
    await settle()
    socket = FakeSocket.last
    seq = 0
    socket.welcome(fields)
    await settle()
  }
  it('calls that the bridge does not know any more are gone, others are not', async () => {
    const one = await outgoing()
    ack(socket.of('call')[0])
    const two = await outgoing()
    ack(socket.of('call')[1])
    await settle()
    const snapshot = { with: 'bob@x', name: 'Bob', direction: 'out', media: AV, description: { type: 'answer', sdp: 'x' } }
    await again({ calls: [{ call: two.call.id, state: 'accepted', ...snapshot }] })
    assert.equal(one.ends[0].reason, 'gone')
    assert.deepEqual([two.call.state, two.pc.remoteDescription.sdp], ['accepted', 'x'])
    assert.equal(socket.of('hangup').length, 0)
    two.call.hangUp()
  })

  it('a call whose request was not acknowledged is sent again', async () => {
    const { call } = await outgoing()
    const { id } = socket.of('call')[0]
    await again({ calls: [] })
    assert.equal(call.ended, false)
    assert.equal(socket.of('call')[0].id, id)
    call.hangUp()
  })

  it('calls of the bridge that this page does not have ring or are hung up', async () => {
    const rung = []
    bridge.addEventListener('incoming', ({ detail }) => rung.push(detail.id))
    const about = { with: 'bob@x', name: 'Bob', media: AV }
    await again({ calls: [{ call: 'r', direction: 'in', state: 'incoming', ...about }, { call: 'o', direction: 'out', state: 'connected', ...about }] })
    assert.deepEqual(rung, ['r'])
    assert.deepEqual(socket.of('hangup').map(({ call, reason }) => [call, reason]), [['o', 'gone']])
  })

  it('a reloaded page is told which call broke, and goes on ringing', async () => {
    const { call } = await outgoing()
    await incoming()
    const { resume } = bridge
    assert.equal(resume.secret, 'secret-1')
    const connecting = connect({ url: 'wss://h/ws', resume: JSON.parse(JSON.stringify(resume)) })
    await settle()
    socket = FakeSocket.last
    socket.welcome({ resumed: true, seq: resume.lastSeq })
    const reloaded = await connecting
    assert.deepEqual(reloaded.calls.map(({ id, state }) => [id, state]), [['in1', 'incoming']])
    assert.deepEqual(socket.of('hangup').map((frame) => frame.call), [call.id])
    call.finish('gone')
    reloaded.close()
  })

  it('a refused session ends the calls', async () => {
    const { ends } = await outgoing()
    socket.cut()
    page.dispatchEvent(new Event('online'))
    await settle()
    for (let round = 0; round < 2; round++) {
      socket = FakeSocket.last
      socket.open()
      socket.say({ type: 'error', id: socket.hello.id, code: 'token-expired', message: 'late' })
      await settle()
    }
    assert.deepEqual([bridge.state, ends[0].reason], ['offline', 'gone'])
  })
})

describe('the bridge object', () => {
  it('keeps contacts by name, up to date', () => {
    const changes = []
    bridge.addEventListener('contact', ({ detail }) => changes.push([detail.jid, detail.removed]))
    event({ type: 'contact', contact: { jid: 'alf@x', name: 'Alf' } })
    assert.deepEqual(bridge.contacts.map(({ name }) => name), ['Alf', 'Bob'])
    event({ type: 'contact', contact: { jid: 'bob@x', name: 'Bob' }, removed: true })
    assert.deepEqual(bridge.contacts.map(({ name }) => name), ['Alf'])
    assert.deepEqual(changes, [['alf@x', false], ['bob@x', true]])
  })

  it('takes the rest of a long list, and what another page shows', () => {
    const seen = []
    bridge.addEventListener('contacts', ({ detail }) => seen.push(detail.length))
    bridge.addEventListener('presence', ({ detail }) => seen.push(detail))
    event({ type: 'contacts', contacts: [{ jid: 'alf@x', name: 'Alf' }, { jid: 'cher@x', name: 'Cher' }] })
    event({ type: 'presence', show: 'dnd', status: 'exam' })
    assert.deepEqual(seen, [3, { show: 'dnd', status: 'exam' }])
    assert.deepEqual([bridge.show, bridge.status], ['dnd', 'exam'])
  })

  it('asks for what the person wants with contacts', async () => {
    const wanted = [
      ['contacts.add', () => bridge.addContact('eve@x', 'Eve'), { jid: 'eve@x', name: 'Eve' }],
      ['contacts.remove', () => bridge.removeContact('eve@x'), { jid: 'eve@x' }],
      ['contacts.approve', () => bridge.approveContact('eve@x'), { jid: 'eve@x' }],
      ['contacts.deny', () => bridge.denyContact('eve@x'), { jid: 'eve@x' }],
      ['contacts.block', () => bridge.blockContact('x'), { jid: 'x' }],
      ['contacts.unblock', () => bridge.unblockContact('x'), { jid: 'x' }],
      ['presence', () => bridge.setPresence('away', 'lunch'), { show: 'away', status: 'lunch' }],
      ['avatar', () => bridge.setAvatar(new Blob([new Uint8Array([0x89, 0xff, 0])], { type: 'image/png' })), { media: 'image/png', data: 'if8A' }],
      ['avatar', () => bridge.setAvatar(null), { data: '' }],
    ]
    for (const [type, ask, fields] of wanted) {
      const answer = ask()
      await settle()
      const { id, ...frame } = socket.sent.at(-1)
      assert.deepEqual(frame, { type, ...fields })
      socket.say({ type: 'ack', id })
      await answer
    }
    assert.deepEqual([bridge.show, bridge.status], ['away', 'lunch'])
  })

  it('passes on missed calls and draining', () => {
    const seen = []
    for (const type of ['missed', 'draining']) bridge.addEventListener(type, ({ detail }) => seen.push([type, detail?.from]))
    event({ type: 'missed', from: 'bob@x', name: 'Bob', media: AV, at: '2026-01-01T00:00:00Z' })
    event({ type: 'draining' })
    assert.deepEqual(seen, [['missed', 'bob@x'], ['draining', undefined]])
  })

  it('ends calls and says bye on close()', async () => {
    const { ends } = await outgoing()
    bridge.close()
    assert.equal(ends[0].reason, 'cancelled')
    assert.deepEqual(socket.sent.slice(-2).map(({ type }) => type), ['hangup', 'bye'])
  })

  it('gives up when told so', async () => {
    const abort = new AbortController()
    const connecting = connect({ url: 'wss://h/ws', token: 'T', signal: abort.signal })
    await settle()
    abort.abort()
    await assert.rejects(connecting, { name: 'AbortError' })
    await assert.rejects(connect({ url: 'wss://h/ws', token: 'T', signal: abort.signal }), { name: 'AbortError' })
  })

  it('finds the socket from the address of the site', () => {
    assert.equal(socketUrl('https://call.example.org'), 'wss://call.example.org/ws')
    assert.equal(socketUrl('http://localhost:8080/#token=x'), 'ws://localhost:8080/ws')
    assert.equal(socketUrl('wss://h/sub/ws'), 'wss://h/sub/ws')
  })
})

it('connect() that nobody answers is tried again, and the console tells so once', async (context) => {
  const warn = context.mock.method(console, 'warn', () => {})
  const abort = new AbortController()
  const connecting = connect({ url: 'wss://other/ws', token: 'T', signal: abort.signal })
  for (const attempt of [1, 2]) {
    const tried = FakeSocket.all.length
    if (attempt === 2) await until(() => FakeSocket.all.length > tried)
    await settle()
    FakeSocket.last.open()
    FakeSocket.last.cut()
    const told = warn.mock.calls.map(({ arguments: words }) => words.join(' '))
    assert.deepEqual(told, ['jinglebridge: trying again. offline No connection to wss://other/ws.'])
  }
  abort.abort(new DOMException('late', 'TimeoutError'))
  await assert.rejects(connecting, { name: 'TimeoutError' })
})
