/** The files of words are alike, the page uses nothing else, and uses all of it. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { it } from 'node:test'

import english from '../../../client/words-en.js'
import { languages, reword, speak, t } from '../../../client/words.js'

const CLIENT = new URL('../../../client/', import.meta.url)
const read = (name) => readFileSync(new URL(name, CLIENT), 'utf8')
const page = read('index.html')
const body = page.replace(/<noscript>[^]*?<\/noscript>/, '')
const modules = readdirSync(CLIENT).filter((name) => name.endsWith('.js') && !name.startsWith('words-'))
const placeholders = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()

it('each file of words is a language that can be chosen', () => {
  const files = readdirSync(CLIENT).flatMap((name) => /^words-(\w+)\.js$/.exec(name)?.[1] ?? [])
  assert.deepEqual(files.sort(), languages().map(([code]) => code).sort())
})

it('all have the same keys and placeholders, and no key twice', async () => {
  for (const [code] of languages()) {
    const { default: words } = await import(new URL(`words-${code}.js`, CLIENT))
    assert.deepEqual(Object.keys(words), Object.keys(english), code)
    for (const [key, text] of Object.entries(words)) {
      assert.deepEqual(placeholders(text), placeholders(english[key]), `${code} ${key}`)
      assert.equal(text, text.trim(), key)
      assert.notEqual(text, '', key)
    }
    const written = read(`words-${code}.js`).match(/^ {2}'[^']+':/gm)
    assert.equal(written?.length, Object.keys(words).length, code)
  }
})

it('no text of the page stands outside the files of words', () => {
  const texts = [...body.replace(/<head>[^]*?<\/head>|<svg class="sprite"[^]*?<\/svg>/g, '').matchAll(/>([^<]+)</g)].map(([, text]) => text.trim())
  assert.deepEqual(texts.filter((text) => /\p{L}/u.test(text)), ['Jinglebridge'])
  assert.deepEqual(body.match(/\s(aria-label|title|alt)="[^"]*"/g), null)
  assert.deepEqual(body.match(/\splaceholder="[^"]*"/g), [' placeholder="name@example.org"'])
})

it('without JavaScript the page says so in each language', async () => {
  for (const [code] of languages()) {
    await speak([code])
    assert.ok(page.includes(t('page.noscript')), code)
  }
  await speak(['en'])
})

it('every key that is used exists, and every key that exists is used', () => {
  const source = modules.map(read).join('\n')
  const used = new Set([...body.matchAll(/data-t(?:-\w+)?="([^"]+)"/g)].map(([, key]) => key))
  for (const [, key] of source.matchAll(/'([a-z]+(?:\.[a-z-]+)+)'/g)) if (english[key]) used.add(key)
  for (const [, key] of source.matchAll(/\b(?:t|many|theirs)\((?:\w+, )?'([^']+)'/g)) assert.ok(english[key] ?? english[`${key}.other`], key)
  assert.deepEqual([...used].filter((key) => !english[key]), [])
  // Keys that are put together: `state.${…}`
  const parts = [...source.matchAll(/`([a-z]+\.[^`]*\$\{[^`]*)`/g)].map(([, text]) => text.replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '*'))
  const pattern = new RegExp(`^(?:${parts.map((text) => text.replaceAll('.', '\\.').replaceAll('*', '.*')).join('|')})$`)
  const asked = Object.keys(english).filter((key) => !used.has(key) && !pattern.test(key) && !/\.(one|other|none)$/.test(key))
  assert.deepEqual(asked, ['page.noscript'])
})

it('no module writes words of its own to the page', () => {
  for (const name of modules.filter((name) => /^(page|guest|device-check)/.test(name))) {
    const source = read(name).replace(/\/\*[^]*?\*\/|\/\/.*/g, '')
    const texts = [...source.matchAll(/(['"`])((?:(?!\1).)*)\1/g)].map(([, , text]) => text)
    assert.deepEqual(texts.filter((text) => /[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}|[a-z]{3,}…/.test(text.replace(/\$\{[^}]*\}/g, ''))), [], name)
  }
})

it('a word that is missing is an empty text, never the key', () => {
  assert.equal(t('no.such.key'), '')
  reword({})
  assert.equal(t('call.mute'), 'Mute')
})
