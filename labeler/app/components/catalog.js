// The language of this page. This file is English, the source, where there is nothing to translate. Under the address of
// another language the server gives that one's texts, with the same names: see labeler/routes/assets.py.

export const language = "en";
export const messages = {};
export const plural = (n) => Number(n !== 1);
