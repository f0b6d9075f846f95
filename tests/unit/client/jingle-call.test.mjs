import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'

import { fetchToken, JingleCall } from '../../../client/jingle-call.js'

const { fetch } = globalThis
afterEach(() => { globalThis.fetch = fetch })

/** The site answers with this. */
function site(body, status = 200) {
  const asked = []
  globalThis.fetch = async (...request) => {
    asked.push(request)
    return new Response(body, { status })
  }
  return asked
}

describe('<jingle-call> without a DOM', () => {
  it('can be imported where pages are rendered on a server', () => {
    assert.equal(globalThis.HTMLElement, undefined)
    assert.ok(JingleCall.observedAttributes.includes('token-url'))
  })
})

describe('the token of token-url', () => {
  for (const [form, body] of [['text', ' ey.a-b_.c\n'], ['JSON', '{"token": "ey.a-b_.c", "more": 1}']]) {
    it(`comes as ${form}`, async () => {
      const asked = site(body)
      assert.equal(await fetchToken('/call-token'), 'ey.a-b_.c')
      assert.deepEqual(asked, [['/call-token', { credentials: 'include', cache: 'no-store' }]])
    })
  }

  for (const [what, body, status] of [
    ['a login page', '<!doctype html>', 200], ['nothing', '', 200], ['a JSON string', '"ey.a.c"', 200], ['JSON without it', '{"error": "no"}', 200], ['null', '{"token": null}', 200],
    ['401', 'ey.a.c', 401], ['404', '{"token": "ey.a.c"}', 404],
  ]) {
    it(`is not ${what}`, async () => {
      site(body, status)
      await assert.rejects(fetchToken('/call-token'), { name: 'BridgeError', code: 'not-authorized' })
    })
  }

  it('is asked for again when the site is down, as when the network is', async () => {
    site('', 503)
    await assert.rejects(fetchToken('/call-token'), TypeError)
  })
})
