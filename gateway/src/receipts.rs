//! Receipts: what the node signs about the order in which frames came, for sessions that want it.
//!
//! They are signed when the writer takes what is unsent, so one signature covers all answers of one
//! write.

use std::cell::RefCell;
use std::rc::Rc;

use types::auth::SigningKey;
use types::wire::receipts::{RECEIPTS_PER_MESSAGE_MAX, Receipt, ReceiptKey, Receipts};
use types::{KeyId, Nonce, SequenceNumber};

/// Signs receipts with the server's key.
#[derive(Debug)]
pub(crate) struct ReceiptSigner {
    signing: SigningKey,
    receipt_key: ReceiptKey,
    run: u64,
}

impl ReceiptSigner {
    /// For one run of the gateway, which is named by when it began.
    pub(crate) const fn new(signing: SigningKey, receipt_key: ReceiptKey, run: u64) -> Self {
        Self {
            signing,
            receipt_key,
            run,
        }
    }
}

/// The receipts of one session that were not sent yet.
#[derive(Debug)]
pub(crate) struct PendingReceipts {
    signer: Rc<ReceiptSigner>,
    key: KeyId,
    receipts: RefCell<Vec<Receipt>>,
}

impl PendingReceipts {
    pub(crate) fn new(signer: &Rc<ReceiptSigner>, key: KeyId) -> Self {
        Self {
            signer: Rc::clone(signer),
            key,
            receipts: RefCell::default(),
        }
    }

    /// A frame was answered.
    pub(crate) fn note(&self, nonce: Nonce, arrival: u64, first_sequence: SequenceNumber) {
        let receipt = Receipt::new(nonce, arrival, first_sequence);
        self.receipts.borrow_mut().push(receipt);
    }

    /// Signs what was noted, and appends it.
    pub(crate) fn sign(&self, out: &mut Vec<u8>) {
        let ReceiptSigner {
            signing,
            receipt_key,
            run,
        } = &*self.signer;
        let mut receipts = self.receipts.borrow_mut();
        for receipts in receipts.chunks(RECEIPTS_PER_MESSAGE_MAX) {
            Receipts::encode(*run, self.key, receipts, receipt_key, signing, out);
        }
        receipts.clear();
    }
}
