/**
 * The dialog of settings. They are kept in this browser, and each is good at once.
 * @module
 */

import { $, announce, say } from './page-dom.js'
import { dress, settle } from './page-language.js'
import { askToNotify, notifiable } from './page-notify.js'
import { set, setting } from './page-store.js'
import { languages, t } from './words.js'

/** What only the page of somebody with an address has. @type {{opened?: () => void, renamed?: () => void}} */
let page = {}

/** @param {typeof page} beside */
export function offerSettings(beside) {
  page = beside
}

/** @param {boolean} on this person may have a name of their own choice */
export function offerName(on) {
  $('name-part').hidden = !on
}

function open() {
  $('language').value = setting('language')
  $('look').value = setting('look')
  $('ring').checked = setting('ring')
  $('notify').checked = setting('notify') && notifiable()
  $('my-name').value = setting('name')
  say($('notify-note'))
  page.opened?.()
  $('settings').showModal()
}

async function wantNotes() {
  const on = $('notify').checked && await askToNotify()
  const text = $('notify').checked && !on ? t('settings.not-notified') : ''
  $('notify').checked = on
  set('notify', on)
  say($('notify-note'), text)
  if (text) announce(text, 'alarm')
}

for (const [code, name] of languages()) {
  const option = new Option(name, code)
  option.lang = code
  $('language').add(option)
}
$('notify-part').hidden = !('Notification' in globalThis)
$('open-settings').onclick = open
$('settings-done').onclick = () => $('settings').close()
$('language').onchange = () => { set('language', $('language').value); settle() }
$('look').onchange = () => { set('look', $('look').value); dress() }
$('ring').onchange = () => set('ring', $('ring').checked)
$('notify').onchange = wantNotes
$('my-name').onchange = () => { set('name', $('my-name').value.trim()); page.renamed?.() }
