//! An EVM in this process, as far as tests need one: accounts with ether, a clock that a test
//! moves, and calls that say what came back.

use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::sol_types::SolCall;
use revm::context::result::{ExecutionResult, Output};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::primitives::hardfork::SpecId;
use revm::state::AccountInfo;
use revm::{
    ExecuteCommitEvm as _, ExecuteEvm as _, MainBuilder as _, MainContext as _, MainnetEvm,
};

type Db = CacheDB<EmptyDB>;

/// Why a call failed: the first four bytes of what it reverted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revert(pub(crate) [u8; 4]);

/// What every deployed contract was made by.
pub(crate) const DEPLOYER: Address = Address::repeat_byte(0xdd);
const GAS_OF_A_BLOB: u64 = 1 << 17;
/// When the chain starts.
pub(crate) const START: u64 = 1_000_000;

pub(crate) struct Chain {
    evm: MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, Db>>,
    /// Versioned hashes of the blobs of the next call.
    pub(crate) blobs: Vec<B256>,
    /// Of the last call that worked.
    pub(crate) gas: u64,
}

impl Chain {
    pub(crate) fn new(chain_id: u64) -> Self {
        let context = Context::mainnet()
            .with_db(Db::default())
            .modify_cfg_chained(|cfg| {
                cfg.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
                cfg.chain_id = chain_id;
            });
        let mut chain = Self {
            evm: context.build_mainnet(),
            blobs: Vec::new(),
            gas: 0,
        };
        chain.evm.ctx.block.timestamp = U256::from(START);
        chain.fund(DEPLOYER, U256::MAX >> 8);
        chain
    }

    pub(crate) fn now(&self) -> u64 {
        self.evm.ctx.block.timestamp.to()
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    /// Gives an account ether.
    pub(crate) fn fund(&mut self, who: Address, ether: U256) {
        let balance = self.balance(who) + ether;
        self.set_balance(who, balance);
    }

    /// Takes ether away from an account.
    pub(crate) fn take(&mut self, who: Address, ether: U256) {
        let balance = self.balance(who) - ether;
        self.set_balance(who, balance);
    }

    fn set_balance(&mut self, who: Address, balance: U256) {
        let info = AccountInfo {
            balance,
            ..self.info(who)
        };
        self.evm
            .ctx
            .journaled_state
            .database
            .insert_account_info(who, info);
    }

    pub(crate) fn balance(&mut self, who: Address) -> U256 {
        self.info(who).balance
    }

    fn info(&mut self, who: Address) -> AccountInfo {
        let loaded = self.evm.ctx.journaled_state.database.load_account(who);
        loaded.expect("the database is memory").info.clone()
    }

    pub(crate) fn deploy(&mut self, bytecode: &Bytes, arguments: &[u8]) -> Result<Address, Revert> {
        let data = [bytecode.as_ref(), arguments].concat();
        let (output, _) = self.transact(DEPLOYER, TxKind::Create, U256::ZERO, data.into())?;
        match output {
            Output::Create(_, Some(address)) => Ok(address),
            output => panic!("nothing was made: {output:?}"),
        }
    }

    /// A transaction.
    pub(crate) fn send<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        call: &C,
    ) -> Result<C::Return, Revert> {
        let data = call.abi_encode().into();
        let (output, gas) = self.transact(from, TxKind::Call(to), value, data)?;
        self.gas = gas;
        let returned = C::abi_decode_returns(output.data());
        Ok(returned.expect("a contract answers as its ABI says"))
    }

    /// A question that changes nothing.
    pub(crate) fn ask<C: SolCall>(&mut self, to: Address, call: &C) -> Result<C::Return, Revert> {
        let tx = self.tx(
            DEPLOYER,
            TxKind::Call(to),
            U256::ZERO,
            call.abi_encode().into(),
        );
        let result = self
            .evm
            .transact(tx)
            .expect("the transaction is valid")
            .result;
        let (output, _) = outcome(result)?;
        Ok(C::abi_decode_returns(output.data()).expect("a contract answers as its ABI says"))
    }

    fn transact(
        &mut self,
        from: Address,
        to: TxKind,
        value: U256,
        data: Bytes,
    ) -> Result<(Output, u64), Revert> {
        let tx = self.tx(from, to, value, data);
        let result = self.evm.transact_commit(tx);
        outcome(result.expect("the transaction is valid"))
    }

    fn tx(&mut self, from: Address, to: TxKind, value: U256, data: Bytes) -> TxEnv {
        let nonce = self.info(from).nonce;
        let blobs = std::mem::take(&mut self.blobs);
        self.fund(from, U256::from(blobs.len() as u64 * GAS_OF_A_BLOB));
        TxEnv {
            // With blobs it is another kind of transaction (EIP-4844).
            tx_type: if blobs.is_empty() { 0 } else { 3 },
            // The block asks for one wei.
            max_fee_per_blob_gas: u128::from(!blobs.is_empty()),
            blob_hashes: blobs,
            caller: from,
            kind: to,
            value,
            data,
            nonce,
            chain_id: Some(self.evm.ctx.cfg.chain_id),
            // The cap of EIP-7825.
            gas_limit: 1 << 24,
            ..TxEnv::default()
        }
    }
}

fn outcome(result: ExecutionResult) -> Result<(Output, u64), Revert> {
    match result {
        ExecutionResult::Success { gas, output, .. } => Ok((output, gas.tx_gas_used())),
        ExecutionResult::Revert { output, .. } => {
            let selector = output.first_chunk().copied();
            Err(Revert(selector.unwrap_or_default()))
        }
        ExecutionResult::Halt { reason, .. } => panic!("halted: {reason:?}"),
    }
}
