/**
 * The bytes of a text in base64url without padding (RFC 4648 §5).
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function decodeBase64url(text) {
  return Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0));
}

/**
 * @param {Uint8Array} bytes
 * @returns {string} base64url without padding
 */
export function encodeBase64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
}
