import { readFileSync } from 'node:fs'
import { findPackageJSON } from 'node:module'

/** Above the sources as well as above the bundle. */
const path = findPackageJSON(import.meta.url) ?? 'package.json'
const manifest = JSON.parse(readFileSync(path, 'utf8')) as { version: string }

export const VERSION = manifest.version
