import assert from 'node:assert/strict'
import { it } from 'node:test'

import { lossBetween, measured } from '../../../client/page-quality.js'
import { clock, ENDED, hue, initials, lasted, moment, moved, problem, PROBLEMS, PROOF, quality, sentence } from '../../../client/words.js'

it('every end is a sentence, whoever called', () => {
  for (const [reason, say] of Object.entries(ENDED)) {
    for (const direction of ['in', 'out']) {
      for (const talked of [true, false]) assert.match(say({ name: 'Bob', direction, talked }), /^[A-Z].*\.$/, reason)
    }
  }
})

it('every problem is a sentence, by code and by what was refused', () => {
  for (const text of Object.values(PROBLEMS)) assert.match(text, /^[A-Z].*\.$/)
  const refused = { code: 'not-negotiable', message: 'content-add' }
  assert.equal(problem(refused), PROBLEMS['not-negotiable'])
  assert.equal(problem({ ...refused, what: 'ice-restart' }), PROBLEMS['not-negotiable'])
  assert.equal(problem({ ...refused, what: 'add' }), PROBLEMS['not-negotiable add'])
  assert.equal(problem({ code: 'internal', message: 'it broke' }), 'It broke.')
  assert.match(problem({ code: 'token-expired', message: 'exp' }), /^Your link has expired/)
  assert.deepEqual(['', 'Was it you?'].map(sentence), ['', 'Was it you?'])
})

it('says which way a call went on', () => {
  assert.deepEqual([true, false].map((talking) => moved('Bob', talking)), ['Bob went on with another device.', 'Bob was calling you at the same time.'])
})

it('while an address is proved, everything is a sentence and nothing says whether it exists', () => {
  for (const text of [PROOF.asked('a@b'), PROOF.wrong(2), PROOF.wrong(1), PROOF.wrong(0), PROOF.over, PROOF.unreachable, ...Object.values(PROOF.errors)]) {
    assert.match(text, /^[A-Z].*\.$/)
  }
  assert.match(PROOF.asked('a@b'), /^If a@b exists/)
  assert.deepEqual([1, 2].map((left) => PROOF.wrong(left).split('. ')[1]), ['One more try.', '2 more tries.'])
})

it('time is shown as on a clock', () => {
  assert.deepEqual([0, 7.9, 750, 3723].map(clock), ['0:00', '0:07', '12:30', '1:02:03'])
})

it('says what became of a call', () => {
  const entry = { direction: 'out', answered: true, seconds: 75, reason: 'ended', media: { video: false } }
  assert.equal(lasted(entry, false), 'Outgoing call, 1:15')
  assert.equal(lasted({ ...entry, answered: false, reason: 'declined' }, false), 'Outgoing call, declined')
  assert.equal(lasted({ ...entry, answered: false, reason: 'no-answer' }, false), 'Outgoing call, not answered')
  assert.equal(lasted({ ...entry, direction: 'in', media: { video: true } }, false), 'Incoming video call, 1:15')
  assert.equal(lasted({ ...entry, direction: 'in', answered: false }, true), 'Missed call')
  assert.equal(lasted({ ...entry, direction: 'in', answered: false, reason: 'declined' }, false), 'Declined call')
})

it('a moment of today has no date', () => {
  const now = new Date(2026, 4, 3, 12, 0)
  assert.doesNotMatch(moment(new Date(2026, 4, 3, 9, 5), now), /May/)
  assert.match(moment(new Date(2026, 4, 2, 9, 5), now), /May 2/)
})

it('initials are letters, whatever the name', () => {
  assert.deepEqual(['Alice Liddell', 'bob', 'bob.smith@x.org', '<b>Eve</b>', '王小明', '…'].map(initials), ['AL', 'B', 'B', 'BE', '王', '?'])
})

it('a person keeps the colour, on every device', () => {
  assert.equal(hue('a@b'), hue('a@b/phone'))
  assert.match(hue('a@b'), /^[0-7]$/)
})

it('says how good the way is, and which', () => {
  const report = (received, lost) => Object.entries({
    sound: { type: 'inbound-rtp', kind: 'audio', bytesReceived: 10 * received, packetsReceived: received, packetsLost: lost },
    picture: { type: 'inbound-rtp', kind: 'video', bytesReceived: 9, packetsReceived: 0, packetsLost: -1 },
    there: { type: 'remote-inbound-rtp', fractionLost: 0.01 },
    transport: { type: 'transport', selectedCandidatePairId: 'used' },
    used: { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.3, localCandidateId: 'l', remoteCandidateId: 'r' },
    before: { type: 'candidate-pair', nominated: true, currentRoundTripTime: 9, localCandidateId: 'r', remoteCandidateId: 'r' },
    l: { type: 'local-candidate', candidateType: 'relay' },
    r: { type: 'remote-candidate', candidateType: 'host' },
  })
  const [one, two] = [measured(report(100, 0)), measured(report(190, 10))]
  assert.deepEqual(two, { relayed: true, roundTrip: 300, heard: 1900, received: 190, lost: 10, lostThere: 0.01 })
  assert.deepEqual([lossBetween(one, two), lossBetween(one, one)], [0.1, 0.01])
  assert.equal(quality(two, 0.1), 'Weak connection, relayed: 300 ms, 10 % lost')
  assert.equal(quality(two, 0.01), 'Fair connection, relayed: 300 ms, 1 % lost')
  assert.equal(quality({ relayed: false, roundTrip: 20.4 }, 0), 'Good connection, direct: 20 ms, 0 % lost')
  assert.equal(quality(measured([]), 0), '')
})
