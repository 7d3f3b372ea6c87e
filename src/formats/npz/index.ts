export { decodeNpy, encodeNpy, npyMagic } from './npy.js';
export { decodeNpz, encodeNpz, type NpzOptions } from './npz.js';
