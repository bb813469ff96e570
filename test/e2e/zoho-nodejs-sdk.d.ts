/** The Node.js SDK comes without types; its API is that of the TypeScript SDK. */
declare module '@zohocrm/nodejs-sdk-8.0' {
  export * from '@zohocrm/typescript-sdk-8.0'
}
