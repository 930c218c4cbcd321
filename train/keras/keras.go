// Package keras holds this toolkit against Keras: the trainer's steps against
// recorded ones.
package keras
