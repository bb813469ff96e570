import js from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['**/dist', 'coverage', 'clients/typescript/src/wire.ts'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
  },
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      'max-lines': ['error', { max: 300 }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
    },
  },
  {
    // What http gives away, the audit log has before the caller does: by the ledger, and by nothing else.
    files: ['src/http/**/*.ts'],
    ignores: ['src/http/ledger.ts'],
    rules: {
      'no-restricted-properties': ['error', { property: 'reveal', message: 'Disclose it by the ledger.' }],
    },
  },
  {
    // A test suite is one long function of short ones, and speaks to JSON that it must not trust.
    files: ['**/test/**/*.ts'],
    rules: {
      'max-lines-per-function': 'off',
    },
  },
)
