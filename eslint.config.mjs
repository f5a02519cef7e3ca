import tseslint from 'typescript-eslint';

// Biome formats and lints; here are only the rules that need types: a promise that nobody waits for loses its error.
export default tseslint.config({
  files: ['packages/*/src/**/*.ts'],
  ignores: ['**/*.test.ts'],
  languageOptions: {
    parser: tseslint.parser,
    parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
  },
  linterOptions: { reportUnusedDisableDirectives: 'error' },
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: {
    '@typescript-eslint/no-floating-promises': 'error',
    '@typescript-eslint/no-misused-promises': 'error',
  },
});
