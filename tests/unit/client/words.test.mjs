import assert from 'node:assert/strict'
import { it } from 'node:test'

import { finder } from '../../../client/page-search.js'
import { lossBetween, measured } from '../../../client/page-quality.js'
import english from '../../../client/words-en.js'
import { clock, ended, hue, initials, language, languages, lasted, many, moment, problem, quality, reword, sentence, speak, t, theirs } from '../../../client/words.js'

/** Runs `check` in each language. */
async function inEach(check) {
  for (const [code] of languages()) {
    await speak([code])
    await check(code)
  }
  await speak(['en'])
}

it('speaks what is wished for first, of what there is', async () => {
  const wishes = [['fr', 'de-AT', 'en'], ['DE'], ['fr', 'xx'], [], ['en-GB', 'de'], ['constructor', '__proto__']]
  const spoken = []
  for (const wish of wishes) {
    await speak(wish)
    spoken.push(language())
  }
  assert.deepEqual(spoken, ['de', 'de', 'en', 'en', 'en', 'en'])
  assert.deepEqual(languages(), [['en', 'English'], ['de', 'Deutsch']])
})

it('what is said otherwise stays so in another language', async () => {
  reword({ 'state.ringing': 'Dring, {name}' })
  await speak(['de'])
  assert.deepEqual([t('state.ringing', { name: 'Bob' }), t('call.mute')], ['Dring, Bob', 'Stumm'])
  reword({ 'state.ringing': english['state.ringing'] })
  await speak(['en'])
})

it('a name is put in as it is, and does not turn the sentence around it', () => {
  const end = (name) => ended({ reason: 'ended', name, direction: 'out', connectedAt: 1 })
  assert.equal(end('{name} $& <b>'), 'Call with {name} $& <b> ended.')
  assert.equal(end('\u202eboB'), 'Call with boB ended.')
  assert.equal(end('\u05d3\u05d5\u05d3'), 'Call with \u2068\u05d3\u05d5\u05d3\u2069 ended.')
})

it('every end is a sentence, whoever called', () => inEach(() => {
  const reasons = new Set(Object.keys(english).filter((key) => /^ended\.(?!reload|lasted)/.test(key)).map((key) => key.split('.')[1]))
  assert.equal(reasons.size, 15)
  const failed = ended({ reason: 'what?', name: 'Bob', direction: 'in', connectedAt: null })
  for (const reason of reasons) {
    for (const direction of ['in', 'out']) {
      for (const connectedAt of [null, 1]) {
        const said = ended({ reason, name: 'Bob', direction, connectedAt })
        assert.match(said, /^[A-Z].*\.$/, reason)
        assert.equal(said === failed, reason === 'failed')
      }
    }
  }
}))

it('every problem is a sentence, by code and by what was refused', () => inEach(() => {
  for (const key of Object.keys(english)) if (/^(problem|doorstep|proof\.(wrong|error)|link)\.(?!.*title|again)/.test(key)) assert.match(t(key, { message: 'X.', count: 2 }), /^[A-ZÄÖÜ].*[.?]$/, key)
  const refused = { code: 'not-negotiable', message: 'content-add' }
  assert.equal(problem(refused), t('problem.not-negotiable'))
  assert.equal(problem({ ...refused, what: 'ice-restart' }), t('problem.not-negotiable'))
  assert.equal(problem({ ...refused, what: 'add' }), t('problem.not-negotiable.add'))
  assert.equal(problem({ code: 'token-expired', message: 'exp' }), t('doorstep.token-expired'))
}))

it('what has no words of its own is told as it came', async () => {
  assert.equal(problem({ code: 'internal', message: 'it broke' }), 'Something went wrong. It broke.')
  assert.deepEqual(['', 'Was it you?'].map(sentence), ['', 'Was it you?'])
  assert.equal(theirs('this is you', 'problem.contact-forbidden'), 'This is you.')
  await speak(['de'])
  assert.equal(theirs('this is you', 'problem.contact-forbidden'), 'Mit dieser Adresse geht das nicht.')
  await speak(['en'])
})

it('says which way a call went on', () => {
  const said = ['call.moved.talked', 'call.moved'].map((key) => t(key, { name: 'Bob' }))
  assert.deepEqual(said, ['Bob went on with another device.', 'Bob was calling you at the same time.'])
})

it('while an address is proved, nothing says whether it exists', () => {
  assert.match(t('proof.asked', { jid: 'a@b' }), /^If a@b exists/)
  assert.deepEqual([0, 1, 2].map((left) => many('proof.wrong', left).split('. ')[1]), ['Begin again with a new message.', 'One more try.', '2 more tries.'])
})

it('finds a contact by parts of name and address, whatever the accents', () => {
  const zoe = { name: 'Zoë Müller', jid: 'zm@example.org' }
  for (const typed of ['', '  ', 'zoe', 'MUL zo', 'zm@', 'example müller']) assert.ok(finder(typed)(zoe), typed)
  for (const typed of ['zoo', 'zoe meier', '.*']) assert.ok(!finder(typed)(zoe), typed)
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
