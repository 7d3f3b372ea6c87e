export { blockInfluence } from './block_influence.js';
