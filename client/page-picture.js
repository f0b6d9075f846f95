/**
 * The picture that contacts see of this person.
 * @module
 */

import { $, announce } from './page-dom.js'
import { t } from './words.js'

const SIDE = 192 // pixels: what IM clients show at most, and far below the limit of the bridge

/** @param {import('./jinglebridge.js').Bridge} bridge that is connected */
export function offerPicture(bridge) {
  $('my-picture').hidden = !bridge.features.includes('avatar')
  $('my-picture').onclick = () => $('picture-file').click()
  $('picture-file').onchange = async () => {
    const [file] = $('picture-file').files
    $('picture-file').value = '' // the same file may be chosen again
    if (!file) return
    try {
      await bridge.setAvatar(await square(file))
      announce(t('me.pictured'))
    } catch {
      announce(t('me.unpictured'), 'alarm')
    }
  }
}

/**
 * @param {Blob} file
 * @returns {Promise<Blob>} its middle, as a small JPEG without what cameras write into files
 */
async function square(file) {
  const image = await createImageBitmap(file)
  const from = Math.min(image.width, image.height)
  const canvas = new OffscreenCanvas(SIDE, SIDE)
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'))
  context.fillStyle = '#fff' // behind what is transparent
  context.fillRect(0, 0, SIDE, SIDE)
  context.drawImage(image, (image.width - from) / 2, (image.height - from) / 2, from, from, 0, 0, SIDE, SIDE)
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 })
}
