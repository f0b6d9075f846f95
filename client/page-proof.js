/**
 * "Prove your address": somebody types their chat address, confirms it in their chat client or types the code that it got, and
 * this browser is signed in.
 * @module
 */

import { $, announce, say } from './page-dom.js'
import { deviceLabel, keepDevice } from './page-device.js'
import { many, t, theirs } from './words.js'

const RETRY = 2000 // ms after an answer that did not come

/** The proof that goes on. @type {{proof: string, jid: string} | null} */
let current = null

/** @param {() => void} onDone signed in: the credential is kept */
export function offerProof(onDone) {
  const form = $('proof-form')
  const codeForm = $('code-form')
  form.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault()
    begin($('proof-jid').value.trim(), onDone)
  }
  codeForm.onsubmit = (/** @type {Event} */ event) => {
    event.preventDefault()
    type($('proof-code').value, onDone)
  }
  $('proof-again').onclick = () => show(null)
}

/** @param {{jid: string, words: string} | null} asked null: nobody was asked yet */
function show(asked, focus = true) {
  if (asked === null) current = null
  say($('proof-error'))
  $('doorstep-text').hidden = asked !== null
  $('proof-form').hidden = asked !== null
  $('code-form').hidden = asked === null
  if (asked !== null) {
    const text = t('proof.asked', { jid: asked.jid })
    say($('proof-text'), text)
    $('proof-words').textContent = asked.words
    $('proof-code').value = ''
    announce(`${text} ${t('proof.compare')} ${[...asked.words].join(' ')}`)
  }
  if (focus) $(asked === null ? 'proof-jid' : 'proof-code').focus()
}

/** @param {string} text */
function complain(text) {
  say($('proof-error'), text)
  announce(text, 'alarm')
}

/**
 * @param {string} jid
 * @param {() => void} onDone
 */
async function begin(jid, onDone) {
  $('proof-begin').disabled = true
  try {
    const { proof, words } = await post('/proof', { jid, label: deviceLabel() })
    const mine = current = { proof, jid }
    show({ jid, words })
    wait(mine, onDone)
  } catch (error) {
    const { code, message } = /** @type {any} */ (error)
    complain(t(`proof.error.${code}`) || theirs(message, 'proof.forbidden'))
  }
  $('proof-begin').disabled = false
}

/**
 * Until the owner of the address says yes, or it is too late.
 * @param {{proof: string}} mine
 * @param {() => void} onDone
 */
async function wait(mine, onDone) {
  while (mine === current) {
    try {
      if (await heard(mine, await post('/proof/answer', { proof: mine.proof }), onDone)) return
    } catch {
      await new Promise((next) => setTimeout(next, RETRY))
    }
  }
}

/**
 * @param {string} code
 * @param {() => void} onDone
 */
async function type(code, onDone) {
  const mine = current
  if (mine === null) return
  $('proof-enter').disabled = true
  try {
    await heard(mine, await post('/proof/answer', { proof: mine.proof, code }), onDone)
  } catch {
    complain(t('proof.unreachable'))
  }
  $('proof-enter').disabled = false
}

/**
 * @param {{proof: string}} mine
 * @param {{state: string, device?: string, left?: number}} answer
 * @param {() => void} onDone
 * @returns {Promise<boolean>} it is over, one way or the other
 */
async function heard(mine, { state, device, left = 0 }, onDone) {
  if (mine !== current) return true
  if (state === 'confirmed' && device) {
    show(null, false)
    keepDevice(device)
    onDone()
    return true
  }
  if (state === 'over') {
    show(null)
    complain(t('proof.over'))
    return true
  }
  if (state === 'wrong') {
    complain(many('proof.wrong', left))
    $('proof-code').select()
  }
  return false
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 * @throws {Error} with the code of an error frame
 */
async function post(path, body) {
  const headers = { 'Content-Type': 'application/json' }
  const reply = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
  const answer = await reply.json()
  if (!reply.ok) throw Object.assign(new Error(answer.message), { code: answer.code })
  return answer
}
