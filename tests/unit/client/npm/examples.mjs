// Bundles the React and Vue examples of docs/how-to/embed.md for a browser: node examples.mjs EXAMPLES FOLDER, where EXAMPLES is JSON
// { react, vue }. React's gets a root of its own, Vue's is compiled as its build plugin does it.
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'
import { compileScript, parse } from 'vue/compiler-sfc'

const here = fileURLToPath(new URL('.', import.meta.url))
const client = fileURLToPath(new URL('../../../../client/jingle-call.js', import.meta.url))
const [examples, folder] = process.argv.slice(2)
const { react, vue } = JSON.parse(examples)

const root = `
import { createRoot } from 'react-dom/client'
import { createElement } from 'react'
window.reasons = []
const onEnded = (reason) => window.reasons.push(reason)
createRoot(document.body.appendChild(document.createElement('main'))).render(createElement(CallButton, { to: window.name, name: 'Bob', onEnded }))
`
const { descriptor, errors } = parse(vue)
if (errors.length > 0) throw errors[0]
const compiled = compileScript(descriptor, {
  id: 'example', inlineTemplate: true, templateOptions: { compilerOptions: { isCustomElement: (tag) => tag === 'jingle-call' } },
})
const app = `
${compiled.content.replace('export default', 'const example =')}
import { createApp } from 'vue'
createApp(example).mount(document.body.appendChild(document.createElement('main')))
`
for (const [name, contents] of Object.entries({ react: `${react}\n${root}`, vue: app })) {
  await build({
    stdin: { contents, loader: 'jsx', resolveDir: here }, jsx: 'automatic', bundle: true, format: 'esm', outfile: `${folder}/${name}.js`,
    alias: { 'jinglebridge-client/jingle-call': client }, logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  })
}
