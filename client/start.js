/**
 * Begins: which page this is, and what it speaks. The page of a guest link and the one of somebody with an address are the same file.
 * @module
 */

import { settle } from './page-language.js'

const guest = location.pathname.startsWith('/c/')
document.body.classList.toggle('guest', guest)
// What both pages need comes while the words do.
await Promise.all([settle(), import('./page-line.js'), import('./jinglebridge.js')])
await import(guest ? './guest.js' : './page.js')
