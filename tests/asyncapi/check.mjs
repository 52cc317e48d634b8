// Parses an AsyncAPI document with the initiative's own parser: check.mjs FILE. Prints how many channels it has, or every
// error and warning, and ends with 1. That a later minor version of AsyncAPI exists is no fault of ours.
import { realpathSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'

// This file is linked to where the parser was installed.
const require = createRequire(`${dirname(process.argv[1])}/`)
const { Parser } = require('@asyncapi/parser')
const { document, diagnostics } = await new Parser().parse(readFileSync(realpathSync(process.argv[2]), 'utf8'))
const wrong = diagnostics.filter(({ severity, code }) => severity < 2 || (severity === 2 && code !== 'asyncapi-latest-version'))
for (const { code, path, message } of diagnostics) console.error(`${code} ${path.join('.')}: ${message}`)
if (wrong.length > 0 || !document) process.exit(1)
console.log(`${document.channels().all().length} channels`)
