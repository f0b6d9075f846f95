/**
 * Finding one of many contacts.
 * @module
 */

import { $, announce, say } from './page-dom.js'
import { many, t } from './words.js'

const FEW = 5 // contacts that are found without searching
const PAUSE = 400 // ms after the last key until the count is read out

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer

/** Small letters without accents. @param {string} text */
const folded = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

/**
 * @param {string} wanted what was typed: each word is to be found somewhere
 * @returns {(contact: {name: string, jid: string}) => boolean}
 */
export function finder(wanted) {
  const parts = folded(wanted).split(/\s+/).filter(Boolean)
  if (parts.length === 0) return () => true
  return ({ name, jid }) => {
    const text = folded(`${name} ${jid}`)
    return parts.every((part) => text.includes(part))
  }
}

/** @returns {(contact: any) => boolean} whether a contact is to be seen now */
export const wanted = () => finder($('search').value)

/**
 * @param {number} all contacts
 * @param {number} seen of them
 */
export function showFound(all, seen) {
  const searching = $('search').value.trim() !== ''
  $('search-part').hidden = all < FEW && !searching
  say($('search-none'), searching && seen === 0 && all > 0 ? t('contacts.found.none') : '')
}

/** @param {() => number} again shows the contacts that are wanted now, and says how many they are */
export function offerSearch(again) {
  const field = $('search')
  field.oninput = () => {
    const seen = again()
    clearTimeout(timer)
    if (field.value.trim()) timer = setTimeout(() => announce(many('contacts.found', seen)), PAUSE)
  }
  field.onkeydown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape' || !field.value) return
    event.preventDefault()
    field.value = ''
    field.oninput()
  }
}
